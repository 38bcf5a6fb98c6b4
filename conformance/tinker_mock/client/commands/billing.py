"""`client billing …`: usage by the hour, and what stored checkpoints cost."""

import csv
from argparse import Namespace
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from tinker_mock.client.commands.formats import json_text, size_text, table, time_text
from tinker_mock.client.commands.terminal import Terminal
from tinker_mock.client.service import AsyncServiceClient
from tinker_mock.client.types.billing import BillingUsageEvent, BillingUsageResponse
from tinker_mock.client.types.json import encode

_COLUMNS = ("Hour", "Usage", "Quantity", "Base Model", "Session", "Cost (USD)")
_ROW = (
    "bucket_start", "bucket_end", "type", "quantity", "base_model", "user_id", "user_name",
    "session_id", "project_id", "estimated_cost_usd", "effective_rate_usd_per_million_tokens",
    "effective_rate_usd_per_gigabyte_month",
)  # fmt: skip


async def usage(terminal: Terminal, service: AsyncServiceClient, arguments: Namespace) -> int:
    """Hourly usage of the organization."""
    found = await service.create_rest_client().get_billing_usage(
        arguments.starting_on, arguments.ending_before
    )
    if arguments.csv:
        rows = [[_cell(_flat(one), name) for name in _ROW] for one in found.data]
        _write(terminal, arguments.csv, _ROW, rows)
    if arguments.sessions_csv:
        _write(terminal, arguments.sessions_csv, ("session_id", "key", "value"), _metadata(found))
    if arguments.csv:
        return 0
    if arguments.format == "json":
        terminal.say(json_text(found))
        return 0
    lines = [
        (
            time_text(one.bucket_start),
            one.event_info.type,
            f"{_quantity(one):g}",
            one.base_model or "",
            one.session_id or "",
            "null" if one.estimated_cost_usd is None else f"{one.estimated_cost_usd:.6f}",
        )
        for one in found.data
    ]
    for line in table(f"Usage ({len(lines)})", _COLUMNS, lines):
        terminal.say(line)
    return 0


async def storage(terminal: Terminal, service: AsyncServiceClient, arguments: Namespace) -> int:
    """Checkpoints stored now, and their cost a month."""
    rest = service.create_rest_client()
    found = await rest.get_current_checkpoint_storage_usage(arguments.project)
    if arguments.format == "json":
        terminal.say(json_text(found))
        return 0
    rows = [
        (
            one.project_id or "",
            one.user_name or one.org_user_urn or "",
            str(one.checkpoint_count),
            size_text(one.size_bytes),
            "null"
            if one.estimated_monthly_cost_usd is None
            else f"{one.estimated_monthly_cost_usd:.6f}",
        )
        for one in found.data
    ]
    columns = ("Project", "User", "Checkpoints", "Size", "A month (USD)")
    for line in table(f"Checkpoint storage ({len(rows)})", columns, rows):
        terminal.say(line)
    return 0


def _quantity(event: BillingUsageEvent) -> float:
    """Tokens, checkpoints or gigabyte-hours."""
    info = asdict(event.event_info)
    return float(next(info[n] for n in ("token_count", "count", "gigabyte_hours") if n in info))


def _flat(event: BillingUsageEvent) -> dict[str, Any]:
    body: dict[str, Any] = encode(event, time=time_text)
    return {**body, "type": event.event_info.type, "quantity": _quantity(event)}


def _cell(row: dict[str, Any], name: str) -> Any:
    return "" if row.get(name) is None else row[name]


def _metadata(found: BillingUsageResponse) -> Iterable[Sequence[str]]:
    for session_id, session in found.sessions.items():
        for key, value in (session.user_metadata or {}).items():
            yield session_id, key, value


def _write(
    terminal: Terminal, path: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    if path == "-":
        csv.writer(terminal.out).writerows([columns, *rows])
        return
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
