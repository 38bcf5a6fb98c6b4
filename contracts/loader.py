"""From a bundled document to operations."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from contracts.bundle import NAMES, Document, read_document
from contracts.operation import Operation
from contracts.schema import Schemas
from contracts.validators import Validators

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
