"""`client checkpoint push-hf`: a checkpoint as a PEFT adapter on the Hugging Face Hub."""

import json
import tempfile
from argparse import Namespace
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from tinker_mock.client.commands.formats import json_text
from tinker_mock.client.commands.terminal import Terminal, byte_progress
from tinker_mock.client.errors import TinkerError, invalid
from tinker_mock.client.rest.download import download_checkpoint
from tinker_mock.client.rest.paths import parse_checkpoint_path
from tinker_mock.client.service import AsyncServiceClient

_NEEDED = ("adapter_config.json", "adapter_model.safetensors")
_CARD = """---
base_model: {base_model}
library_name: peft
tags:
- tinker
- lora
---

# {name}

A LoRA adapter of rank {rank} on `{base_model}`, from `{path}`.
"""


async def push(terminal: Terminal, service: AsyncServiceClient, arguments: Namespace) -> int:
    """Upload as a PEFT adapter to the Hugging Face Hub; with --dry-run only prepare it."""
    if parse_checkpoint_path(arguments.path).checkpoint_type == "sampler":
        raise invalid(
            "weights for the sampler cannot be pushed: save_state or save_weights_external"
        )
    if arguments.dry_run:
        folder = await prepared(terminal, service, arguments, Path(arguments.dry_run))
        files = chosen(folder, arguments.allow_pattern, arguments.ignore_pattern)
        return _told(terminal, arguments, {"folder": str(folder), "files": files})
    hub = (terminal.open_hub or _hub)(arguments.token)
    with tempfile.TemporaryDirectory() as place:
        folder = await prepared(terminal, service, arguments, Path(place))
        address = _uploaded(hub, folder, arguments)
    return _told(terminal, arguments, {"url": address})


async def prepared(
    terminal: Terminal, service: AsyncServiceClient, arguments: Namespace, place: Path
) -> Path:
    """Download the adapter and give it a model card. Raises `ValidationError` if it is none."""
    rest = service.create_rest_client()
    with byte_progress(terminal, arguments.path) as progress:
        done = await download_checkpoint(
            rest, arguments.path, output_dir=place, force=True, progress=progress
        )
    folder = done.destination
    missing = [name for name in _NEEDED if not (folder / name).is_file()]
    if missing:
        raise invalid(f"{arguments.path} is no PEFT adapter: {', '.join(missing)} missing")
    card = folder / "README.md"
    if not arguments.no_model_card and not card.exists():
        weights = await rest.get_weights_info_by_tinker_path(arguments.path)
        text = _CARD.format(
            base_model=weights.base_model,
            rank=weights.lora_rank,
            name=repository(arguments).partition("/")[2] or repository(arguments),
            path=arguments.path,
        )
        card.write_text(text, encoding="utf-8")
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    if not config.get("base_model_name_or_path"):
        raise invalid("adapter_config.json names no base model")
    return folder


def repository(arguments: Namespace) -> str:
    """The repository that was named, or one after the run and the checkpoint."""
    if arguments.repo:
        return str(arguments.repo)
    path = parse_checkpoint_path(arguments.path)
    run = path.training_run_id.replace(":", "-")
    return f"tinker-{run}-{path.checkpoint_id}"


def chosen(folder: Path, allowed: Sequence[str] | None, ignored: Sequence[str] | None) -> list[str]:
    """The files that go up, by the patterns."""
    names = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
    return [
        name
        for name in names
        if (not allowed or any(fnmatch(name, one) for one in allowed))
        and not any(fnmatch(name, one) for one in ignored or ())
    ]


def _uploaded(hub: Any, folder: Path, arguments: Namespace) -> str:
    private = not arguments.public
    try:
        made = hub.create_repo(repository(arguments), private=private, exist_ok=True)
        commit = hub.upload_folder(
            repo_id=str(made.repo_id),
            folder_path=str(folder),
            revision=arguments.revision,
            commit_message=arguments.commit_message or f"Upload {arguments.path}",
            create_pr=arguments.create_pr,
            allow_patterns=arguments.allow_pattern,
            ignore_patterns=arguments.ignore_pattern,
        )
    except Exception as error:  # the Hub's client raises many kinds, of several libraries
        raise TinkerError(f"the Hub did not take it: {error}") from error
    return str(commit)


def _hub(token: str | None) -> Any:
    try:
        from huggingface_hub import HfApi, get_token
    except ModuleNotFoundError:
        raise invalid("push-hf needs the package huggingface-hub, or --dry-run DIR") from None
    if not (token or get_token()):
        raise invalid("not logged in to the Hub: set HF_TOKEN, or give --token or --dry-run DIR")
    return HfApi(token=token)


def _told(terminal: Terminal, arguments: Namespace, done: dict[str, Any]) -> int:
    if arguments.format == "json":
        terminal.say(json_text({"path": arguments.path, "repo": repository(arguments), **done}))
    elif "url" in done:
        terminal.say(f"Pushed {arguments.path} to {done['url']}")
    else:
        terminal.say(f"Prepared {done['folder']} for {repository(arguments)}:")
        for name in done["files"]:
            terminal.say(f"  {name}")
    return 0
