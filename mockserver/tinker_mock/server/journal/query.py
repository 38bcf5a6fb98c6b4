"""Questions to the journal."""

import fnmatch
from dataclasses import dataclass, field
from typing import Any

from tinker_mock.contracts.pointer import find
from tinker_mock.server.budget import checkpoint
from tinker_mock.server.journal.entry import Entry

MISSING = object()
"""What a body has at a pointer where it has nothing."""


@dataclass(frozen=True)
class Query:
    """All given conditions must hold. `operation`, `path` and `client` are globs.

    `body` names JSON pointers of the request body and the values they must have.
    """

    operation: str | None = None
    path: str | None = None
    method: str | None = None
    status: int | None = None
    verdict: str | None = None
    client: str | None = None
    tenant: str | None = None
    effects: str | None = None
    after: int = 0
    body: dict[str, Any] = field(default_factory=dict)
    limit: int = 0
    offset: int = 0

    def fits(self, entry: Entry) -> bool:
        """Whether all conditions hold."""
        checkpoint()
        return (
            entry.number > self.after
            and _glob(entry.operation or "", self.operation)
            and _glob(entry.path, self.path)
            and _glob(entry.client, self.client)
            and _glob(entry.effects, self.effects)
            and _same(entry.method, self.method)
            and _same(entry.status, self.status)
            and _same(entry.verdict, self.verdict)
            and _same(entry.tenant, self.tenant)
            and (not self.body or self._body_fits(entry.request_body))
        )

    def _body_fits(self, body: Any) -> bool:
        return all(find(body, at, MISSING) == want for at, want in self.body.items())


def _glob(value: str, pattern: str | None) -> bool:
    return pattern is None or fnmatch.fnmatchcase(value, pattern)


def _same(value: Any, wanted: Any) -> bool:
    return wanted is None or value == wanted
