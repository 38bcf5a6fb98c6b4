"""One operation of a contract: how it is addressed, and the judgement of its messages."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from jsonschema_rs import Draft202012Validator

from tinker_mock.contracts.closed_schema import closable, closed
from tinker_mock.contracts.integer_coercion import Coerce, compile_coercion
from tinker_mock.contracts.pointer import join
from tinker_mock.contracts.protobuf import check_message
from tinker_mock.contracts.reduction import reduced
from tinker_mock.contracts.schema import Schema, Schemas, coerce, outside
from tinker_mock.contracts.unknown_fields import Find, compile_search
from tinker_mock.contracts.validators import Validators
from tinker_mock.contracts.versions import SdkRange
from tinker_mock.contracts.violations import Violation, shorten, violations

JSON = "application/json"
PROTOBUF = "application/x-protobuf"
ANY_STATUS = "default"
Lane = Literal["model", "client", "none"]
"""Where an operation's work runs: see `x-lane` in contracts/README.md."""


@dataclass(frozen=True, slots=True)
class Alias:
    """Another address of the operation, from an older document."""

    method: str
    path: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query, header or path parameter."""

    name: str
    place: str
    required: bool
    schema: Schema
    sdk: SdkRange


@dataclass(frozen=True, slots=True)
class NotInRelease:
    """A field or enum value that the release at hand does not have."""

    pointer: str
    value: Any
    sdk: SdkRange


class Operation:
    """An operation of the contract, by its operationId.

    Validators are compiled at their first use: a server that was just started compiles only
    what it is asked for.
    """

    def __init__(
        self, method: str, path: str, node: Schema, schemas: Schemas, validators: Validators
    ) -> None:
        self.id: str = node["operationId"]
        self.method = method.upper()
        self.path = path
        self.summary: str = node.get("summary", "")
        self.chapter: str = (node.get("tags") or [""])[0]
        self.sdk = SdkRange.of(node)
        self.lane: Lane = node.get("x-lane", "none")
        self.polled_as: str = node.get("x-polled-as", "")
        self.aliases = tuple(
            Alias(alias["method"].upper(), alias["path"]) for alias in node.get("x-aliases", ())
        )
        self._node = node
        self._schemas = schemas
        self._validators = validators

    def __repr__(self) -> str:
        return f"<{self.id}: {self.method} {self.path}>"

    # how it runs

    @cached_property
    def promised(self) -> bool:
        """Answered with a promise; the result is polled for."""
        return "x-result" in self._node

    @cached_property
    def ordered(self) -> bool:
        """Its `seq_id` is a place in the model's lane, used up even by a refusal."""
        body = self._schemas.resolve(self.request_schema) or {}
        return self.lane == "model" and "seq_id" in body.get("properties", {})

    @property
    def result_message(self) -> str | None:
        """The protobuf message its result may be polled as; None where JSON is all there is."""
        message: str | None = self._node.get("x-result", {}).get("x-protobuf")
        return message

    @property
    def binary_result(self) -> bool:
        """Whether its result may be polled as protobuf."""
        return self.result_message is not None

    # what the document says

    @property
    def document(self) -> Schema:
        """The operation object as the bundled document has it."""
        return self._node

    @cached_property
    def security(self) -> list[dict[str, list[str]]] | None:
        """Its own requirements: [] is open to everybody, None is the document's default."""
        return self._node.get("security")

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Declared path, query and header parameters."""
        resolved = map(self._schemas.resolve, self._node.get("parameters", ()))
        return tuple(
            Parameter(
                node["name"],
                node["in"],
                bool(node.get("required")),
                self._schemas.resolve(node.get("schema", {})),
                SdkRange.of({**node, **node.get("schema", {})}),
            )
            for node in resolved
        )

    @cached_property
    def _parameters_in(self) -> dict[str, list[tuple[str, Parameter]]]:
        """By their place, with the names under which values have them."""
        found: dict[str, list[tuple[str, Parameter]]] = {}
        for one in self.parameters:
            name = one.name.lower() if one.place == "header" else one.name
            found.setdefault(one.place, []).append((name, one))
        return found

    @cached_property
    def _request_content(self) -> dict[str, Schema]:
        content: dict[str, Schema] = self._schemas.resolve(self._node.get("requestBody", {})).get(
            "content", {}
        )
        return content

    @cached_property
    def request_types(self) -> tuple[str, ...]:
        """Content types a request body may have; empty where no body is read."""
        return tuple(self._request_content)

    @cached_property
    def body_required(self) -> bool:
        body = self._schemas.resolve(self._node.get("requestBody", {}))
        return bool(body.get("required"))

    @cached_property
    def _response_content(self) -> dict[str, dict[str, Schema]]:
        return {
            status: self._schemas.resolve(answer).get("content", {})
            for status, answer in self._node.get("responses", {}).items()
        }

    @property
    def responses(self) -> dict[str, tuple[str, ...]]:
        """Status (`"200"`, `"default"`) → content types."""
        return {status: tuple(content) for status, content in self._response_content.items()}

    @property
    def request_schema(self) -> Schema | None:
        """Schema of the JSON body, `$ref`s unresolved."""
        return self._request_content.get(JSON, {}).get("schema")

    @property
    def result_schema(self) -> Schema | None:
        """`x-result`: what the promise resolves to."""
        return self._node.get("x-result")

    def response_schema(self, status: int | str, content_type: str = JSON) -> Schema | None:
        return self._answer(status).get(content_type, {}).get("schema")

    @property
    def example(self) -> Any:
        """The example of the JSON request body."""
        return self._request_content.get(JSON, {}).get("example")

    # judgement

    def check_request(self, body: Any, content_type: str = JSON) -> list[Violation]:
        """Judge a decoded JSON body, or a protobuf body as bytes."""
        if not self._request_content:
            return []
        return self._check(self._request_content, body, content_type, f"{self.id}.request")

    def knows(self, body: Any) -> bool:
        """One look: whether a JSON body is valid, and the contract knows all of its fields.

        False also where that takes more than a look: `check_request` and `unknown_fields` tell.
        """
        return self._closed is not None and self._closed.is_valid(body)

    @cached_property
    def _closed(self) -> Draft202012Validator | None:
        schema = self.request_schema
        if schema is None or not closable(self._schemas, schema):
            return None
        return self._validators.closed.get(f"{self.id}.request", closed(schema))

    def check_query(self, query: Mapping[str, Any]) -> list[Violation]:
        """Judge query parameters; text is read as the type the schema names."""
        return self._check_parameters("query", query)

    def check_headers(self, headers: Mapping[str, Any]) -> list[Violation]:
        """Judge the headers the operation declares; names in lower case."""
        return self._check_parameters("header", headers)

    def check_path(self, values: Mapping[str, Any]) -> list[Violation]:
        """Judge the values of the path template."""
        return self._check_parameters("path", values)

    def check_response(self, status: int, body: Any, content_type: str = JSON) -> list[Violation]:
        """Judge an answer: the status must be declared, the body must fit it."""
        if str(status) not in self._response_content and ANY_STATUS not in self._response_content:
            known = sorted(self._response_content)
            message = f"status {status} is not one the operation answers"
            return [Violation("", "status", message, known, status)]
        content = self._answer(status)
        if not content:
            return []
        return self._check(content, body, content_type, f"{self.id}.{status}")

    def check_result(self, body: Any) -> list[Violation]:
        """Judge what the promise of this operation resolved to, as JSON."""
        schema = self.result_schema
        if schema is None:
            return []
        return self._judge(f"{self.id}.result", schema, body)

    def coerce_integers(self, body: Any) -> None:
        """Turn `50.0` into 50, in place, where a valid request body has an integer field."""
        if self._coerce is not None:
            self._coerce(body)

    @cached_property
    def _coerce(self) -> Coerce | None:
        return compile_coercion(self._schemas, self.request_schema)

    def unknown_fields(self, body: Any) -> list[str]:
        """JSON pointers of request fields that the contract doesn't know."""
        find = self._find_unknown
        return [join(path) for path in find(body)] if find is not None else []

    @cached_property
    def _find_unknown(self) -> Find | None:
        return compile_search(self._schemas, self.request_schema)

    def fields_outside(self, body: Any, release: str) -> list[NotInRelease]:
        """Request fields and enum values that this SDK release doesn't have; nulls don't count."""
        found = []
        for use in self._schemas.uses(self.request_schema, body):
            limit = outside(use, release) if use.value is not None else None
            if limit is not None:
                found.append(NotInRelease(use.pointer, shorten(use.value), limit))
        return found

    # internals

    def _answer(self, status: int | str) -> dict[str, Schema]:
        content = self._response_content
        return content.get(str(status), content.get(ANY_STATUS, {}))

    def _check(
        self, content: dict[str, Schema], body: Any, content_type: str, key: str
    ) -> list[Violation]:
        kind = content_type.split(";")[0].strip().lower()
        if kind not in content:
            message = f"content type {kind!r} is not one the operation takes"
            return [Violation("", "content-type", message, list(content), kind)]
        schema = content[kind].get("schema")
        if schema is None:
            return []
        if isinstance(schema, dict) and "x-protobuf" in schema:
            return check_message(schema["x-protobuf"], body)
        return self._judge(key, schema, body)

    def _judge(self, key: str, schema: Schema | bool, body: Any) -> list[Violation]:
        validator = self._validators.get(key, schema)
        if validator.is_valid(body):
            return []
        small = reduced(body, validator.is_valid, self._validators.names)
        return violations(validator.iter_errors(small))

    def _check_parameters(self, place: str, values: Mapping[str, Any]) -> list[Violation]:
        found: list[Violation] = []
        for key, parameter in self._parameters_in.get(place, ()):
            if key not in values:
                if parameter.required:
                    message = f"required {place} parameter {parameter.name!r} is missing"
                    where = join([parameter.name])
                    found.append(Violation(where, "required", message, parameter.name, None))
                continue
            validator: Draft202012Validator = self._validators.get(
                f"{self.id}.{place}.{parameter.name}", parameter.schema
            )
            value = coerce(parameter.schema, values[key])
            if not validator.is_valid(value):
                found += violations(validator.iter_errors(value), join([parameter.name]))
        return found
