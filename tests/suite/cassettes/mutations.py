"""Mutants of what a client sends: each field of each request, left out or changed on the wire."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

import httpx
import zstandard
from google.protobuf.message import Message

from tinker_mock.contracts.protobuf import messages
from tinker_mock.suite.cassettes.bodies import PROTOBUF
from tinker_mock.suite.cassettes.cassette import COMPARED_HEADERS, Cassette
from tinker_mock.suite.cassettes.recorded_server import RecordedServer

Part = Literal["headers", "query", "json", "protobuf"]
Path = tuple[str | int, ...]
ENCODING = "content-encoding"


@dataclass(frozen=True, slots=True, order=True)
class Field:
    """A place in the requests of an operation. Of a list it is the first item."""

    operation: str
    part: Part
    path: Path

    def __str__(self) -> str:
        return f"{self.operation} {self.part} /{'/'.join(map(str, self.path))}"


class NotingServer(RecordedServer):
    """Notes every field of the requests that come."""

    def __init__(self, cassette: Cassette) -> None:
        super().__init__(cassette)
        self.sent: set[Field] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.update(self.fields(request, await request.aread()))
        return await super().handle_async_request(request)

    def fields(self, request: httpx.Request, body: bytes) -> Iterator[Field]:
        operation = self._operation(request.method, request.url.path)
        for name in request.headers.keys() & COMPARED_HEADERS:
            yield Field(operation, "headers", (name,))
        for name, _ in parse_qsl(request.url.query.decode(), keep_blank_values=True):
            yield Field(operation, "query", (name,))
        if request.headers.get("content-type", "").startswith(PROTOBUF):
            message = parsed(unpacked(request, body))
            yield from (Field(operation, "protobuf", path) for path in message_paths(message))
        elif body:
            yield from (Field(operation, "json", path) for path in json_paths(json.loads(body)))


class MutatingServer(RecordedServer):
    """Gets every request with one field left out (`drop`) or another value in it."""

    def __init__(self, cassette: Cassette, field: Field, *, drop: bool) -> None:
        super().__init__(cassette)
        self.field, self.drop = field, drop

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        operation = self._operation(request.method, request.url.path)
        if operation == self.field.operation:
            request = self.mutated(request, body)
        return await super().handle_async_request(request)

    def mutated(self, request: httpx.Request, body: bytes) -> httpx.Request:
        headers, url, path = request.headers.copy(), request.url, self.field.path
        if self.field.part == "headers" and path[0] in headers:
            mutate(headers, str(path[0]), drop=self.drop)
        elif self.field.part == "query":
            query = dict(parse_qsl(url.query.decode(), keep_blank_values=True))
            if path[0] in query:
                mutate(query, str(path[0]), drop=self.drop)
            url = url.copy_with(query=urlencode(query).encode())
        elif self.field.part == "json" and body:
            body = mutated_json(body, path, drop=self.drop)
        elif self.field.part == "protobuf":
            content = mutated_message(unpacked(request, body), path, drop=self.drop)
            packed = headers.get(ENCODING) == "zstd"
            body = zstandard.ZstdCompressor().compress(content) if packed else content
        headers.pop("content-length", None)
        return httpx.Request(request.method, url, headers=headers, content=body)


def unpacked(request: httpx.Request, body: bytes) -> bytes:
    if request.headers.get(ENCODING) != "zstd":
        return body
    return zstandard.ZstdDecompressor().decompressobj().decompress(body)


def json_paths(value: Any, at: Path = ()) -> Iterator[Path]:
    """Every field, at any depth."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield (*at, name)
            yield from json_paths(item, (*at, name))
    elif isinstance(value, list) and value:
        yield (*at, 0)
        yield from json_paths(value[0], (*at, 0))


def mutated_json(body: bytes, path: Path, *, drop: bool) -> bytes:
    document = json.loads(body)
    holder = document
    try:
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]]
    except (KeyError, IndexError, TypeError):
        return body  # another request of this operation, without the field
    mutate(holder, path[-1], drop=drop)
    return json.dumps(document).encode()


def mutate(holder: Any, name: Any, *, drop: bool) -> None:
    if drop:
        del holder[name]
    else:
        holder[name] = other(holder[name])


def other(value: Any) -> Any:
    """Another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return f"{value}x"
    if isinstance(value, bytes):
        return value[:-1] + bytes([(value[-1] if value else 0) ^ 1])
    if isinstance(value, dict):
        return {**value, "unheard-of": 1}
    return [*value, *(value[:1] or [1])] if isinstance(value, list) else "not null"


def parsed(content: bytes) -> Any:
    message = messages.ForwardBackwardRequest()
    message.ParseFromString(content)
    return message


def message_paths(message: Message, at: Path = ()) -> Iterator[Path]:
    """As `json_paths`, of the fields that are set."""
    for field, value in message.ListFields():
        path = (*at, field.name)
        yield path
        if is_map(field):
            key = sorted(value)[0]
            yield (*path, key)
            if isinstance(value[key], Message):
                yield from message_paths(value[key], (*path, key))
        elif field.is_repeated:
            yield (*path, 0)
            if isinstance(value[0], Message):
                yield from message_paths(value[0], (*path, 0))
        elif isinstance(value, Message):
            yield from message_paths(value, path)


def is_map(field: Any) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def mutated_message(content: bytes, path: Path, *, drop: bool) -> bytes:
    message = holder = parsed(content)
    for step in path[:-1]:
        holder = getattr(holder, step) if isinstance(holder, Message) else holder[step]
    name: Any = path[-1]
    if isinstance(holder, Message):
        mutate_field(holder, name, drop=drop)
    elif drop:
        del holder[name]
    elif isinstance(holder[name], Message):
        mutate_field(holder[name], holder[name].ListFields()[0][0].name, drop=False)
    else:
        holder[name] = other(holder[name])
    return bytes(message.SerializeToString())


def mutate_field(message: Any, name: str, *, drop: bool) -> None:
    field, value = message.DESCRIPTOR.fields_by_name[name], getattr(message, name)
    if drop:
        message.ClearField(name)
    elif is_map(field):
        key = sorted(value)[0]
        if isinstance(value[key], Message):
            value[f"{key}x"].CopyFrom(value[key])
        else:
            value[key] = other(value[key])
    elif field.is_repeated and isinstance(value[0], Message):
        value.add().CopyFrom(value[0])
    elif field.is_repeated:
        value.append(value[0])
    elif isinstance(value, Message):
        mutate_field(value, value.ListFields()[0][0].name, drop=False)
    elif field.enum_type is not None:
        numbers = [one.number for one in field.enum_type.values if one.number != value]
        setattr(message, name, numbers[0])
    else:
        setattr(message, name, other(value))
