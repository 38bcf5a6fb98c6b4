"""The journal in other people's formats: HAR 1.2, JSON lines, vcrpy cassettes."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import orjson
import yaml

from tinker_mock.server.journal.bodies import restore_body
from tinker_mock.server.journal.entry import Entry

NOWHERE = "tinker-mock.invalid"
"""The host in cassettes, which are played back anywhere: two runs of one script have the same."""
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""libyaml's where PyYAML has it: the same text, several times as fast."""


def _url(entry: Entry, host: str) -> str:
    query = f"?{urlencode(entry.query)}" if entry.query else ""
    return f"http://{host}{entry.path}{query}"


def json_lines(entries: list[Entry]) -> bytes:
    """One entry a line, keys sorted."""
    lines = [orjson.dumps(entry.as_dict(), option=orjson.OPT_SORT_KEYS) for entry in entries]
    return b"".join(line + b"\n" for line in lines)


def har(entries: list[Entry]) -> bytes:
    """HTTP Archive 1.2; what HAR has no place for is in fields that start with `_`."""
    log = {
        "version": "1.2",
        "creator": {"name": "tinker-mock", "version": "1"},
        "entries": [_har_entry(entry) for entry in entries],
    }
    return orjson.dumps({"log": log}, option=orjson.OPT_INDENT_2)


def _har_entry(entry: Entry) -> dict[str, Any]:
    taken = ((entry.answered_at or entry.received_at) - entry.received_at) * 1000
    return {
        "startedDateTime": datetime.fromtimestamp(entry.received_at, UTC).isoformat(),
        "time": taken,
        "request": _har_request(entry),
        "response": _har_response(entry),
        "cache": {},
        "timings": {"send": 0, "wait": taken, "receive": 0},
        "_operation": entry.operation,
        "_verdict": entry.verdict,
        "_effects": entry.effects,
    }


def _pairs(values: dict[str, Any]) -> list[dict[str, str]]:
    return [{"name": name, "value": str(value)} for name, value in values.items()]


def _text_or_base64(content: bytes) -> dict[str, str]:
    try:
        return {"text": content.decode("utf-8")}
    except UnicodeDecodeError:
        return {"text": base64.b64encode(content).decode("ascii"), "encoding": "base64"}


def _har_request(entry: Entry) -> dict[str, Any]:
    request: dict[str, Any] = {
        "method": entry.method,
        "url": _url(entry, entry.request_headers.get("host", NOWHERE)),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _pairs(entry.request_headers),
        "queryString": _pairs(entry.query),
        "headersSize": -1,
        "bodySize": entry.request_size,
    }
    if entry.request_size:
        content = _text_or_base64(restore_body(entry.request_body))
        request["postData"] = {"mimeType": entry.request_type, **content}
    return request


def _har_response(entry: Entry) -> dict[str, Any]:
    return {
        "status": entry.status or 0,
        "statusText": "" if entry.status else "no answer",
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _pairs({"content-type": entry.response_type, **entry.response_headers}),
        "content": {
            "size": entry.response_size,
            "mimeType": entry.response_type,
            **_text_or_base64(restore_body(entry.response_body)),
        },
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": entry.response_size,
    }


def cassette(entries: list[Entry]) -> bytes:
    """A vcrpy cassette (version 1) of the exchanges that were answered."""
    interactions = [_interaction(entry) for entry in entries if entry.status is not None]
    document = {"interactions": interactions, "version": 1}
    text: str = yaml.dump(document, Dumper=DUMPER, sort_keys=True, allow_unicode=True)
    return text.encode()


def _interaction(entry: Entry) -> dict[str, Any]:
    headers = {"content-type": entry.response_type, **entry.response_headers}
    return {
        "request": {
            "method": entry.method,
            "uri": _url(entry, NOWHERE),
            "body": _yaml_body(restore_body(entry.request_body)),
            "headers": {name: [value] for name, value in entry.request_headers.items()},
        },
        "response": {
            "status": {"code": entry.status, "message": ""},
            "headers": {name: [value] for name, value in headers.items()},
            "body": {"string": _yaml_body(restore_body(entry.response_body)) or ""},
        },
    }


def _yaml_body(content: bytes) -> str | bytes | None:
    try:
        return content.decode("utf-8") or None
    except UnicodeDecodeError:
        return content


EXPORTS: dict[str, tuple[str, Callable[[list[Entry]], bytes]]] = {
    "har": ("application/json", har),
    "jsonl": ("application/jsonl", json_lines),
    "cassette": ("application/yaml", cassette),
}
"""Format -> content type and renderer."""
