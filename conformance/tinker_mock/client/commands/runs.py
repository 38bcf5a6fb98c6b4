"""`client run list` and `client run info`."""

from argparse import Namespace
from functools import partial

from tinker_mock.client.commands.formats import json_text, run_lines, run_table
from tinker_mock.client.commands.terminal import Terminal, gather
from tinker_mock.client.service import AsyncServiceClient


async def list_all(terminal: Terminal, service: AsyncServiceClient, arguments: Namespace) -> int:
    """The newest runs."""
    rest = service.create_rest_client()
    wanted = {"access_scope": arguments.access_scope, "project_id": arguments.project}
    found, total = await gather(
        terminal,
        "training runs",
        partial(rest.list_training_runs, **wanted),
        "training_runs",
        limit=arguments.limit,
        offset=arguments.offset,
    )
    if arguments.format == "json":
        terminal.say(json_text({"runs": found, "total": total, "shown": len(found)}))
        return 0
    for line in run_table(found, total, terminal.now()):
        terminal.say(line)
    return 0


async def info(terminal: Terminal, service: AsyncServiceClient, arguments: Namespace) -> int:
    """One run."""
    rest = service.create_rest_client()
    run = await rest.get_training_run(arguments.run_id, arguments.access_scope)
    if arguments.format == "json":
        terminal.say(json_text(run))
        return 0
    for line in run_lines(run):
        terminal.say(line)
    return 0
