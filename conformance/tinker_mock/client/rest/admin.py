"""`AsyncAdminClient`: what an organization's administrators may ask."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from tinker_mock.client.rest import requests
from tinker_mock.client.session.connection import Connection
from tinker_mock.client.types.billing import (
    AuditLogResponse,
    BillingUsageResponse,
    CheckpointStorageUsage,
)
from tinker_mock.client.types.json import decode

T = TypeVar("T")


class AsyncAdminClient:
    """Bills need the role admin or billing-admin, the audit log needs admin."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def get_audit_log(
        self, event_type: str = "all", day: date | str | None = None
    ) -> AuditLogResponse:
        """Who read or deleted what on a day, midnight to midnight UTC."""
        if isinstance(day, date):
            day = day.isoformat()
        return await self._asked(AuditLogResponse, "/audit", event_type=event_type, day=day)

    async def get_billing_usage(
        self, starting_on: date | str, ending_before: date | str
    ) -> BillingUsageResponse:
        """Usage events from the first moment to before the second; a day begins at 0:00 UTC."""
        return await self._asked(
            BillingUsageResponse,
            "/billing/usage/events",
            starting_on=_moment(starting_on),
            ending_before=_moment(ending_before),
        )

    async def get_current_checkpoint_storage_usage(
        self, project_id: str | None = None
    ) -> CheckpointStorageUsage:
        """What stored checkpoints cost now, of one project or of the whole organization."""
        return await self._asked(
            CheckpointStorageUsage, "/billing/usage/checkpoints/current", project_id=project_id
        )

    def get_telemetry(self) -> Any:
        """What reports the session's events; `None` before there is one, or if turned off."""
        return self.connection.reporter

    async def _asked(self, cls: type[T], path: str, **query: str | None) -> T:
        connection = self.connection
        await connection.configure()
        asked: Mapping[str, str | None] = query
        call = requests.get(path, asked)
        reply = await connection.persistence.run(lambda: connection.transport.send(call))
        return decode(cls, reply.json())


def _moment(value: date | str) -> str:
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value
