"""`client run list` and `client run info`."""

import json
from argparse import Namespace

from tinker_mock.client.commands.formats import run_lines, run_table
from tinker_mock.client.commands.terminal import Terminal, gather
from tinker_mock.client.service import AsyncServiceClient
from tinker_mock.client.types.json import encode


async def list_all(terminal: Terminal, service: AsyncServiceClient, arguments: Namespace) -> int:
    """The newest runs."""
    rest = service.create_rest_client()
    found, total = await gather(
        terminal,
        "training runs",
        rest.list_training_runs,
        "training_runs",
        limit=arguments.limit,
        offset=arguments.offset,
    )
    if arguments.format == "json":
        listed = [encode(run, nulls=False) for run in found]
        terminal.say(json.dumps({"runs": listed, "total": total, "shown": len(found)}))
        return 0
    for line in run_table(found, total):
        terminal.say(line)
    return 0


async def info(terminal: Terminal, service: AsyncServiceClient, arguments: Namespace) -> int:
    """One run."""
    run = await service.create_rest_client().get_training_run(arguments.run_id)
    if arguments.format == "json":
        terminal.say(json.dumps(encode(run, nulls=False)))
        return 0
    for line in run_lines(run):
        terminal.say(line)
    return 0
