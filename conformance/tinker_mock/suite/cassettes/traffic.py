"""Traffic as a cassette keeps it: without secrets, and the same bytes for the same exchanges."""

import base64
import json
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

import httpx
import zstandard

from tinker_mock.contracts.protobuf import messages
from tinker_mock.suite.cassettes.bodies import PROTOBUF
from tinker_mock.suite.cassettes.cassette import Cassette, Interaction, interactions, load_yaml
from tinker_mock.suite.cassettes.ids import json_of

UNSIGNED = ".".join(
    base64.urlsafe_b64encode(part).decode().rstrip("=")
    for part in (b'{"alg":"none"}', b'{"sub":"nobody","org_id":"none","exp":4102444800}', b"-")
)
"""What a cassette has for a token: it is valid nowhere."""
NOWHERE = "tokenizer"
"""What a cassette has for the folder of a tokenizer: it is of the machine that recorded."""
_MASKED = (
    (re.compile(rb'(?<="tokenizer_id":")/[^"]*'), NOWHERE.encode()),
    (re.compile(rb'(?<="jwt":")[^"]*'), UNSIGNED.encode()),
    (re.compile(rb'(?<=[?&]signature=)[^"&]*'), b"<redacted>"),
)
_TIMES = re.compile(
    rb"\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)?)?|\b1[789]\d{8}(?:\.\d+)?\b"
    rb"|[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT"
)


def journal_of(url: str) -> list[Interaction]:
    """What the mock's, or the proxy's, journal has."""
    answer = httpx.get(f"{url}/_mock/journal/export", params={"format": "cassette"}, timeout=60)
    answer.raise_for_status()
    return settled(interactions(load_yaml(answer.text)["interactions"]))


def settled(traffic: Iterable[Interaction]) -> list[Interaction]:
    """Secrets masked, protobuf in one order, and nothing that depends on who is faster.

    A poll may still be answered when its client has given the promise up: it is left out. Others
    follow what they ask about, for it is up to a client's threads when they are sent.
    """
    asked, polls = [], defaultdict(list)
    for one in map(_settled, traffic):
        if one.operation == "retrieve_future":
            polls[_promise(one.request_body)].append(one)
        else:
            asked.append(one)
    for one in asked:
        if one.operation == "cancel_future":
            polls.pop(_promise(one.request_body), None)
    found = []
    for one in asked:
        found += [one, *polls.pop(_promise(one.response_body), [])]
    return [*found, *(one for left in polls.values() for one in left)]


def same_but_for_times(one: Cassette, other: Cassette) -> bool:
    """Whether two recordings differ in nothing but when they were made."""
    return _timeless(one) == _timeless(other)


def _timeless(cassette: Cassette) -> list[object]:
    told = {name: value for name, value in cassette.provenance.items() if name != "recorded"}
    exchanges = [
        (
            one.method,
            one.path,
            sorted(one.request_headers.items()),
            one.request_body,
            one.status,
            sorted((name, _TIMES.sub(b"", v.encode())) for name, v in one.response_headers.items()),
            _TIMES.sub(b"", one.response_body),
        )
        for one in cassette.interactions
    ]
    return [told, json.dumps(cassette.values, sort_keys=True), *exchanges]


def _promise(body: bytes) -> object:
    """The promise that a request or an answer names, `None` if it names none."""
    named = json_of(body)
    return named.get("request_id") if isinstance(named, dict) else None


def _settled(one: Interaction) -> Interaction:
    headers = {
        name: _masked(value.encode()).decode() for name, value in one.response_headers.items()
    }
    return replace(
        one,
        request_body=_ordered(one),
        response_headers=headers,
        response_body=_masked(one.response_body),
    )


def _masked(content: bytes) -> bytes:
    for pattern, shown in _MASKED:
        content = pattern.sub(shown, content)
    return content


def _ordered(one: Interaction) -> bytes:
    """The request's body; the entries of maps in protobuf come in any order."""
    headers = one.request_headers
    if not headers.get("content-type", "").startswith(PROTOBUF):
        return one.request_body
    packed = headers.get("content-encoding") == "zstd"
    content = one.request_body
    if packed:
        content = zstandard.ZstdDecompressor().decompressobj().decompress(content)
    message = messages.ForwardBackwardRequest()
    message.ParseFromString(content)
    content = message.SerializeToString(deterministic=True)
    return zstandard.ZstdCompressor().compress(content) if packed else content
