"""`client auth …` and `client model list`: whose key, whether it works, what it may use."""

from argparse import Namespace

from tinker_mock.client.commands.formats import json_text, table
from tinker_mock.client.commands.terminal import Terminal
from tinker_mock.client.config.masking import mask_api_key
from tinker_mock.client.errors import TinkerError
from tinker_mock.client.service import AsyncServiceClient


async def status(terminal: Terminal, service: AsyncServiceClient, arguments: Namespace) -> int:
    """Which key is used, and whether the server takes it."""
    config = service.config
    known = {"server": config.base_url, "api_key": mask_api_key(config.api_key)}
    problem = None
    try:
        await service.get_server_capabilities()
    except TinkerError as error:
        problem = str(error)
    if arguments.format == "json":
        terminal.say(json_text({**known, "accessible": problem is None, "error": problem}))
    else:
        terminal.say(f"Server: {known['server']}")
        terminal.say(f"API key: {known['api_key']}")
        terminal.say(f"Access: {'ok' if problem is None else problem}")
    return 0 if problem is None else 1


async def whoami(terminal: Terminal, service: AsyncServiceClient, arguments: Namespace) -> int:
    """The user and the organization of the key."""
    found = await service.create_rest_client().whoami()
    if arguments.format == "json":
        terminal.say(json_text(found))
        return 0
    terminal.say(f"User: {found.user_urn}")
    terminal.say(f"Organization: {found.org_urn}")
    if found.email:
        terminal.say(f"Email: {found.email}")
    return 0


async def models(terminal: Terminal, service: AsyncServiceClient, arguments: Namespace) -> int:
    """The models that the server offers."""
    found = (await service.get_server_capabilities()).supported_models
    if arguments.format == "json":
        terminal.say(json_text({"models": list(found)}))
        return 0
    rows = [
        (
            one.model_name or "",
            "" if one.max_context_length is None else str(one.max_context_length),
            _yes_or_no(one.trainable),
            _yes_or_no(one.sampleable),
        )
        for one in found
    ]
    columns = ("Model", "Context", "Trainable", "Sampleable")
    for line in table(f"Models ({len(rows)})", columns, rows):
        terminal.say(line)
    return 0


def _yes_or_no(value: bool | None) -> str:
    return "N/A" if value is None else "Yes" if value else "No"
