"""From a bundled document to operations."""

from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from typing import Any

from tinker_mock.contracts.bundle import NAMES, Document, read_document
from tinker_mock.contracts.operation import Operation
from tinker_mock.contracts.schema import Schemas
from tinker_mock.contracts.validators import Validators
from tinker_mock.contracts.versions import SdkRange

HTTP_HEADERS = frozenset(
    (
        "accept",
        "accept-encoding",
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "host",
        "transfer-encoding",
        "user-agent",
        "x-api-key",
    )
)
METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "query")


class Contract:
    """One document: its operations by operationId, and its component schemas."""

    def __init__(self, name: str, document: Document) -> None:
        self.name = name
        self.document = document
        self.schemas = Schemas(document)
        validators = Validators(name, document)
        self.operations: Mapping[str, Operation] = {
            operation.id: operation
            for operation in (
                Operation(method, path, node, self.schemas, validators)
                for path, item in document.get("paths", {}).items()
                for method, node in item.items()
                if method in METHODS
            )
        }

    def unknown_headers(
        self, operation: Operation, names: Iterable[str], release: str
    ) -> list[str]:
        """Request headers that neither HTTP, nor the operation, nor any call of the release has."""
        declared = {p.name.lower() for p in operation.parameters if p.place == "header"}
        unknown = []
        for name in sorted({name.lower() for name in names} - HTTP_HEADERS - declared):
            sdk = self._sdk_headers.get(name)
            if sdk is None or release not in sdk:
                unknown.append(name)
        return unknown

    @cached_property
    def _sdk_headers(self) -> dict[str, SdkRange]:
        listed = self.document.get("x-sdk-headers", {})
        return {name.lower(): SdkRange.of(node) for name, node in listed.items()}

    @cached_property
    def promised(self) -> frozenset[str]:
        """Ids of the operations that are answered with a promise."""
        return frozenset(o.id for o in self.operations.values() if o.promised)

    @cached_property
    def ordered(self) -> frozenset[str]:
        """Ids of the operations whose `seq_id` is a place in a model's lane."""
        return frozenset(o.id for o in self.operations.values() if o.ordered)

    def polled_as(self, request_type: str) -> Operation | None:
        """The operation whose result a poll with that `X-Tinker-Request-Type` is for."""
        return self._by_request_type.get(request_type)

    @cached_property
    def _by_request_type(self) -> dict[str, Operation]:
        return {o.polled_as: o for o in self.operations.values() if o.polled_as}

    def component(self, name: str) -> dict[str, Any]:
        """A component schema by name; KeyError if there is none."""
        schema: dict[str, Any] = self.document["components"]["schemas"][name]
        return schema


@cache
def load_contract(name: str) -> Contract:
    """The contract `tinker`, `inference` or `control`; the same object every time.

    Raises LookupError for another name.
    """
    if name not in NAMES:
        raise LookupError(f"there is no contract {name!r}: choose one of {', '.join(NAMES)}")
    return Contract(name, read_document(name))
