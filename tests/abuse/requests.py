"""Requests that a careless or hostile client might send, drawn from the contracts' own schemas."""

import gzip
import json
import random
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import zstandard

from tinker_mock.contracts import Operation, load_contract
from tinker_mock.contracts.pointer import find

LEFT_OUT = {
    "reset",  # would take away what the other tenant's canary is
    "restore_snapshot",
    "put_mutant",  # breaks the mock on purpose
    "put_scenario",
    "put_quirks",
    "journal_feed",  # has no end
    "wait_for_count",
    "change_checkpoint",  # may publish the canary
    "put_key",
    "set_key_role",
    "download_checkpoint",
    "delete_my_api_key",  # the fuzzer's own
    "create_api_key",
    "get_my_api_key",
}
"""Operations whose use would make the run meaningless."""
SHOWING = {"tinker", "inference"}
"""Documents whose answers must not show what is another tenant's."""
DEPTH = 6
ODD: list[Any] = [
    None, True, 0, -1, 1, 2**31, 2**63, -(2**63), 10**30, 1e308, -0.0, "", " ", "\x00", "ü\u202e",
    "../../etc/passwd", "tinker://x/weights/../..", "A" * 5000, [], {}, [[]], {"": {}}, [None] * 50,
    {"$ref": "http://CANARY/ref"}, {"$ref": "file:///etc/passwd"}, "http://CANARY/text",
    "%1000000000d", "{{ 7*7 }}", "{:>1000000000}", "\ud800".encode("utf-16", "surrogatepass").hex(),
]  # fmt: skip
MODELS = ["Qwen/Qwen3-8B", "openai/gpt-oss-120b", "moonshotai/Kimi-K2-Thinking", "no/model"]


@dataclass
class Drawn:
    """One request."""

    operation: str
    document: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Generator:
    """Draws requests: the same seed, the same ones, as long as the answers are the same."""

    seed: int
    canary: str = "127.0.0.1:1"
    known: dict[str, list[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.luck = random.Random(self.seed)
        names = ("tinker", "inference", "control")
        self.documents = {name: load_contract(name) for name in names}
        self.operations = [
            (name, operation)
            for name, contract in self.documents.items()
            for operation in contract.operations.values()
            if operation.id not in LEFT_OUT
        ]

    def draw(self) -> Drawn:
        """The next request."""
        return self._drawn(*self.luck.choice(self.operations))

    def draw_of(self, wanted: str) -> Drawn:
        """A request of the operation of that name."""
        found = (
            (n, c.operations[wanted]) for n, c in self.documents.items() if wanted in c.operations
        )
        return self._drawn(*next(found))

    def _drawn(self, name: str, operation: Operation) -> Drawn:
        headers = {"X-API-Key": "tml-fuzz"}
        path = "/".join(self._segment(part) for part in operation.path.split("/"))
        query = self._query(operation)
        if query:
            path += "?" + urlencode(query)
        body = self._body(name, operation, headers) if operation.request_types else b""
        if self.luck.random() < 0.05:
            headers |= self.luck.choice(HEADERS)
        method = operation.method if self.luck.random() < 0.98 else self.luck.choice(METHODS)
        return Drawn(operation.id, name, method, path, headers, body)

    def learn(self, body: Any) -> None:
        """Remember the ids of an answer, so that later requests reach what exists."""
        if isinstance(body, dict):
            for name, value in body.items():
                if isinstance(value, str) and name.endswith(("_id", "path", "id")):
                    kept = self.known.setdefault(name, [])
                    kept.append(value)
                    del kept[:-20]
                elif isinstance(value, dict | list):
                    self.learn(value)
        elif isinstance(body, list):
            for value in body[:5]:
                self.learn(value)

    def _segment(self, part: str) -> str:
        if not part.startswith("{"):
            return part
        return quote(str(self._named(part.strip("{}")) or "x")[:300], safe="")

    def _query(self, operation: Operation) -> dict[str, Any]:
        found = {}
        for parameter in operation.parameters:
            if parameter.place == "query" and self.luck.random() < 0.5:
                found[parameter.name] = self._value(parameter.schema, parameter.name, "tinker", 0)
        return found

    def _named(self, name: str) -> Any:
        known = self.known.get(name) or self.known.get(name.removeprefix("training_"))
        if known and self.luck.random() < 0.8:
            return self.luck.choice(known)
        return self.luck.choice(["x", "0", "..", "a" * 300, "é", "tinker://a/weights/b"])

    def _body(self, name: str, operation: Operation, headers: dict[str, str]) -> bytes:
        kind = self.luck.choice(operation.request_types)
        if self.luck.random() < 0.03:
            kind = self.luck.choice(KINDS)
        headers["Content-Type"] = kind
        if "protobuf" in kind or self.luck.random() < 0.02:
            content = self.luck.randbytes(self.luck.randrange(400))
        else:
            value = self._value(operation.request_schema or {}, "", name, 0)
            content = self._damaged(
                json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
            )
        if self.luck.random() < 0.1:
            coding, pack = self.luck.choice(CODINGS)
            headers["Content-Encoding"] = coding
            content = pack(content) if self.luck.random() < 0.9 else content
        return content

    def _damaged(self, content: bytes) -> bytes:
        kind = self.luck.random()
        if kind < 0.02:
            return content[: self.luck.randrange(len(content) + 1)]
        if kind < 0.03:
            levels = self.luck.choice([100, 127, 128, 129, 253, 254, 1000, 5000])
            return b'{"x":' + b"[" * levels + b"]" * levels + b"}"
        if kind < 0.04 and content:
            changed = bytearray(content)
            changed[self.luck.randrange(len(changed))] = self.luck.randrange(256)
            return bytes(changed)
        return content

    # --- values of schemas ----------------------------------------------------------------------

    def _value(self, schema: Any, name: str, document: str, depth: int) -> Any:
        if self.luck.random() < 0.04:
            return self._odd()
        if not isinstance(schema, Mapping) or depth > DEPTH:
            return self._odd() if depth <= DEPTH else None
        if "$ref" in schema:
            root = self.documents[document].document
            return self._value(find(root, schema["$ref"][1:]), name, document, depth + 1)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self.luck.choice(schema["enum"])
        for key in ("oneOf", "anyOf"):
            if schema.get(key):
                return self._value(self.luck.choice(schema[key]), name, document, depth + 1)
        if "allOf" in schema:
            parts = [self._value(part, name, document, depth + 1) for part in schema["allOf"]]
            return {k: v for part in parts if isinstance(part, dict) for k, v in part.items()}
        kinds = schema.get("type", "object" if "properties" in schema else "string")
        kind = self.luck.choice(kinds) if isinstance(kinds, list) else kinds
        draw = KINDS_OF_VALUES.get(kind, Generator._text)
        return draw(self, schema, name, document, depth)

    def _odd(self) -> Any:
        odd = self.luck.choice(ODD)
        return json.loads(json.dumps(odd).replace("CANARY", self.canary))

    def _object(self, schema: Any, name: str, document: str, depth: int) -> dict[str, Any]:
        required = schema.get("required", ())
        value = {
            key: self._value(inner, key, document, depth + 1)
            for key, inner in schema.get("properties", {}).items()
            if self.luck.random() < (0.97 if key in required else 0.3)
        }
        if self.luck.random() < 0.05:
            value["unknown_field"] = self._odd()
        return value

    def _array(self, schema: Any, name: str, document: str, depth: int) -> list[Any]:
        size = self.luck.choice([0, 1, 1, 2, 3, 30])
        items = schema.get("items", {})
        return [self._value(items, name, document, depth + 1) for _ in range(size)]

    def _integer(self, schema: Any, *_: Any) -> int:
        low, high = schema.get("minimum", 0), schema.get("maximum", 2**31)
        likely = [low, min(low + 1, high), min(low + 7, high), high, high + 1, low - 1]
        return int(self.luck.choice([*likely, *likely[:3] * 3]))

    def _number(self, schema: Any, *_: Any) -> float:
        return float(self.luck.choice([0, 1, 0.5, -1, 1e-4, 1e300, schema.get("maximum", 2)]))

    def _text(self, schema: Any, name: str, *_: Any) -> str:
        if name in ("base_model", "model") and self.luck.random() < 0.9:
            return self.luck.choice(MODELS)
        if name in self.known or name.endswith("_id"):
            return str(self._named(name))
        return str(self.luck.choice(["x", "hello world", "", "a/b", "\u0000", "0" * 40]))


KINDS_OF_VALUES: dict[str, Callable[..., Any]] = {
    "object": Generator._object,
    "array": Generator._array,
    "integer": Generator._integer,
    "number": Generator._number,
    "boolean": lambda generator, *_: generator.luck.random() < 0.5,
    "null": lambda *_: None,
}
KINDS = ["text/plain", "application/x-protobuf", "application/xml", "", "application/json; x=y"]
CODINGS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("zstd", zstandard.ZstdCompressor().compress),
    ("br", bytes),
]
METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE"]
HEADERS: list[dict[str, str]] = [
    {"Accept": "application/x-protobuf"},
    {"Authorization": "Bearer eyJ.eyJ.x"},
    {"X-API-Key": ""},
    {"User-Agent": "AsyncTinker/Python 0.16.1"},
    {"Host": "evil.example"},
    {"Origin": "https://evil.example"},
    {"X-Long": "y" * 8000},
    {"Content-Length": "7"},
]
