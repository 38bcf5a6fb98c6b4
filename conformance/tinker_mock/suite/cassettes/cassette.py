"""One cassette: interactions in vcrpy's format, with who recorded them and what came of it."""

import gzip
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
import zstandard

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
LARGEST = 1 << 28
"""Bytes of a cassette, unpacked."""
MERGED = re.compile(r"<<\s*:\s*[\[*]")
API = "/api/v1/"
_ZSTD = b"\x28\xb5\x2f\xfd"
UNTIMELY = frozenset({"session_heartbeat", "telemetry"})
"""Calls that come when time passes, not when the program asks for them."""

COMPARED_HEADERS = frozenset(
    {
        "accept",
        "content-type",
        "content-encoding",
        "x-stainless-package-version",
        "x-stainless-raw-response",
        "x-stainless-read-timeout",
        "x-stainless-retry-count",
        "x-tinker-request-iteration",
        "x-tinker-request-type",
        "x-tinker-sampling-backpressure",
    }
)
"""Headers of a request that a server may act on."""

_KEPT_REQUEST_HEADERS = COMPARED_HEADERS | {"user-agent"}
_KEPT_RESPONSE_HEADERS = frozenset({"content-type", "location", "expires", "retry-after"})


@dataclass(frozen=True, slots=True)
class Interaction:
    """A request and its answer. `path` starts after the host, query included."""

    method: str
    path: str
    request_headers: Mapping[str, str]
    request_body: bytes
    status: int
    response_headers: Mapping[str, str]
    response_body: bytes

    @property
    def operation(self) -> str:
        """The path below the API's root, without its query."""
        return urlsplit(self.path).path.partition(API)[2]

    @property
    def content_type(self) -> str:
        return self.response_headers.get("content-type", "").partition(";")[0]


@dataclass(frozen=True, slots=True)
class Cassette:
    """`provenance`: who recorded it, against what, when. `values`: what the program returned."""

    provenance: Mapping[str, Any]
    values: Mapping[str, Any]
    interactions: list[Interaction] = field(default_factory=list)

    @property
    def program(self) -> str:
        return str(self.provenance["program"])

    def write(self, path: Path) -> None:
        document = {
            "version": 1,
            "provenance": dict(self.provenance),
            "values": json.dumps(self.values, sort_keys=True),
            "interactions": [_to_vcr(one) for one in self.interactions],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        text = yaml.dump(document, Dumper=_DUMPER, sort_keys=False, allow_unicode=True, width=100)
        content = text.encode()
        path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def cassette_text(path: Path) -> str:
    """The YAML of a file, which may be compressed."""
    if path.suffix != ".gz":
        return path.read_bytes().decode()
    with gzip.open(path) as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise CassetteError(f"it unpacks to more than {LARGEST} bytes")
    return content.decode()


def cassette_paths(folder: Path) -> list[Path]:
    """All cassettes below a folder, compressed or not."""
    return sorted([*folder.rglob("*.yaml"), *folder.rglob("*.yaml.gz")])


class CassetteError(ValueError):
    """A file that is no cassette, and why."""


def read_cassette(path: Path) -> Cassette:
    """Load one file; raises CassetteError."""
    try:
        if path.stat().st_size > LARGEST:
            raise CassetteError(f"it is larger than {LARGEST} bytes")
        document = load_yaml(cassette_text(path))
        return Cassette(
            document["provenance"],
            json.loads(document["values"]),
            list(interactions(document["interactions"])),
        )
    except CassetteError:
        raise
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise CassetteError(str(error)) from error
    except yaml.YAMLError as error:
        raise CassetteError(f"it is no YAML: {' '.join(str(error).split())[:200]}") from error
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CassetteError(f"it has no such parts: {type(error).__name__} {error}") from error


def load_yaml(text: str) -> Any:
    """With libyaml where it is there: cassettes are long. Raises CassetteError for merged keys,
    which can stand for more than there is room for."""
    if MERGED.search(text):
        raise CassetteError("it merges keys (`<<`), which no recorder writes")
    return yaml.load(text, Loader=_LOADER)


def interactions(recorded: list[Mapping[str, Any]]) -> Iterator[Interaction]:
    """From vcrpy's form, without secrets and without what only the passing of time causes."""
    for one in recorded:
        request, response = one["request"], one["response"]
        split = urlsplit(request["uri"])
        headers = _headers(request["headers"], _KEPT_REQUEST_HEADERS)
        path = split.path + (f"?{split.query}" if split.query else "")
        found = Interaction(
            request["method"],
            path,
            headers,
            _as_sent(_bytes(request["body"]), headers),
            int(response["status"]["code"]),
            _headers(response["headers"], _KEPT_RESPONSE_HEADERS),
            _bytes(response["body"]["string"]),
        )
        if found.operation and found.operation not in UNTIMELY:
            yield found


def _headers(recorded: Mapping[str, Any], kept: frozenset[str]) -> dict[str, str]:
    named = {name.lower(): value for name, value in recorded.items()}
    return {
        name: value[0] if isinstance(value, list) else value
        for name, value in sorted(named.items())
        if name in kept
    }


def _to_vcr(one: Interaction) -> dict[str, Any]:
    return {
        "request": {
            "method": one.method,
            "uri": f"http://tinker{one.path}",
            "headers": {name: [value] for name, value in sorted(one.request_headers.items())},
            "body": _text(one.request_body),
        },
        "response": {
            "status": {"code": one.status, "message": ""},
            "headers": {name: [value] for name, value in sorted(one.response_headers.items())},
            "body": {"string": _text(one.response_body) or ""},
        },
    }


def _text(content: bytes) -> str | bytes | None:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return content
    return (text or None) if text.isprintable() else content


def _as_sent(body: bytes, headers: Mapping[str, str]) -> bytes:
    """A journal keeps bodies decompressed: compress again what travelled so."""
    if headers.get("content-encoding") != "zstd" or body.startswith(_ZSTD):
        return body
    return zstandard.ZstdCompressor().compress(body)


def _bytes(content: Any) -> bytes:
    return content if isinstance(content, bytes) else (content or "").encode()
