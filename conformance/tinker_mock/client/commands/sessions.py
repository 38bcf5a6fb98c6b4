"""`client session …`: list, describe, export a trace."""

from argparse import Namespace
from pathlib import Path

import httpx

from tinker_mock.client.commands.formats import json_text, table
from tinker_mock.client.commands.terminal import Terminal, byte_progress
from tinker_mock.client.errors import TinkerError
from tinker_mock.client.service import AsyncServiceClient


async def list_all(terminal: Terminal, service: AsyncServiceClient, arguments: Namespace) -> int:
    """The newest sessions."""
    rest = service.create_rest_client()
    found = await rest.list_sessions(
        arguments.limit or 1000, arguments.offset, access_scope=arguments.access_scope
    )
    if arguments.format == "json":
        terminal.say(json_text({"sessions": list(found.sessions)}))
        return 0
    for line in table(
        f"Sessions ({len(found.sessions)})", ("Session ID",), [(one,) for one in found.sessions]
    ):
        terminal.say(line)
    return 0


async def info(terminal: Terminal, service: AsyncServiceClient, arguments: Namespace) -> int:
    """The runs and samplers of one session."""
    found = await service.create_rest_client().get_session(arguments.session_id)
    if arguments.format == "json":
        terminal.say(json_text(found))
        return 0
    terminal.say(arguments.session_id + (f" ({found.display_name})" if found.display_name else ""))
    for name, ids in (("Run", found.training_run_ids), ("Sampler", found.sampler_ids)):
        for one in ids:
            terminal.say(f"{name}: {one}")
    for key, value in sorted((found.user_metadata or {}).items()):
        terminal.say(f"Metadata: {key}={value}")
    return 0


async def export_trace(
    terminal: Terminal, service: AsyncServiceClient, arguments: Namespace
) -> int:
    """A session's timeline as a Perfetto trace; see ui.perfetto.dev."""
    export = await service.create_rest_client().export_session_trace(arguments.session_id)
    if export.url is None:
        raise TinkerError(f"the trace of {arguments.session_id} failed: {export.error}")
    if arguments.url_only:
        terminal.say(export.url)
        return 0
    target = Path(arguments.output or f"{arguments.session_id}.pftrace")
    await _fetched(terminal, export.url, target)
    if arguments.format == "json":
        terminal.say(json_text({"session_id": arguments.session_id, "path": str(target)}))
    else:
        terminal.say(f"Trace saved to {target}")
    return 0


async def _fetched(terminal: Terminal, url: str, target: Path) -> None:
    """The signed link carries its own permission: no key is sent."""
    with byte_progress(terminal, target.name) as progress:
        async with (
            httpx.AsyncClient(follow_redirects=True, timeout=120) as http,
            http.stream("GET", url) as answer,
        ):
            if answer.status_code != 200:
                raise TinkerError(f"the trace could not be fetched: HTTP {answer.status_code}")
            total, done = int(answer.headers.get("content-length", 0)), 0
            with target.open("wb") as file:
                async for piece in answer.aiter_bytes():
                    done += file.write(piece)
                    if progress is not None and total:
                        progress(done, total)
