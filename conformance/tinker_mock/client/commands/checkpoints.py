"""`client checkpoint …`: save, list, info, publish, unpublish, delete, set-ttl, download."""

import json
from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tinker_mock.client.commands.formats import (
    checkpoint_table,
    relative_time,
    size_text,
    time_text,
)
from tinker_mock.client.commands.terminal import Terminal, byte_progress, gather, write_text
from tinker_mock.client.errors import TinkerError, invalid
from tinker_mock.client.rest.client import AsyncRestClient
from tinker_mock.client.rest.download import download_checkpoint
from tinker_mock.client.rest.paths import parse_checkpoint_path
from tinker_mock.client.service import AsyncServiceClient
from tinker_mock.client.types.json import encode, given
from tinker_mock.client.types.records import Checkpoint, CheckpointsList


async def save(terminal: Terminal, service: AsyncServiceClient, arguments: Namespace) -> int:
    """Create a training client, save its weights, write where they are to a file."""
    if not arguments.output:
        raise invalid("--output FILE is required: it gets the checkpoint's path")
    base_model = arguments.base_model
    if arguments.model_path:
        training = await service.create_training_client_from_state(arguments.model_path)
    elif base_model:
        training = await service.create_lora_training_client(
            base_model,
            arguments.rank,
            seed=arguments.seed,
            train_mlp=arguments.train_mlp,
            train_attn=arguments.train_attn,
            train_unembed=arguments.train_unembed,
        )
    else:
        raise invalid("name what to save: --base-model or --model-path")
    name = arguments.name or f"checkpoint-{slug(base_model or arguments.model_path)}"
    saved = await training.save_state(name).result()
    record = {
        "base_model": base_model or training.base_model,
        "model_id": training.model_id,
        "weights_path": saved.path,
        "saved_at": time_text(terminal.now()),
        "response": encode(saved, nulls=False),
    }
    write_text(arguments.output, json.dumps(record))
    terminal.say(f"Checkpoint saved to {arguments.output}")
    return 0


async def list_all(terminal: Terminal, service: AsyncServiceClient, arguments: Namespace) -> int:
    """One run's checkpoints, or the newest of all."""
    rest = service.create_rest_client()
    if arguments.run_id:
        found = list((await rest.list_checkpoints(arguments.run_id)).checkpoints)
        total = len(found)
        found = found[arguments.offset :][: arguments.limit or None]
    else:
        found, total = await gather(
            terminal,
            "checkpoints",
            rest.list_user_checkpoints,
            "checkpoints",
            limit=arguments.limit,
            offset=arguments.offset,
        )
    if arguments.format == "json":
        listed = [checkpoint_json(one) for one in found]
        body = {"checkpoints": listed, "total": total, "shown": len(found)}
        terminal.say(json.dumps(given(**body, run_id=arguments.run_id)))
        return 0
    for line in checkpoint_table(found, total, terminal.now(), arguments.run_id):
        terminal.say(line)
    return 0


async def info(terminal: Terminal, service: AsyncServiceClient, arguments: Namespace) -> int:
    """What is known about one checkpoint and the model it belongs to."""
    path = parse_checkpoint_path(arguments.path)
    rest = service.create_rest_client()
    listed = await rest.list_checkpoints(path.training_run_id)
    checkpoint = _find(listed, arguments.path)
    weights = await rest.get_weights_info_by_tinker_path(arguments.path)
    merged = {**checkpoint_json(checkpoint), **encode(weights, nulls=False)}
    if arguments.format == "json":
        terminal.say(json.dumps(merged))
        return 0
    for name, value in merged.items():
        shown = size_text(value) if name == "size_bytes" else value
        terminal.say(f"{name.replace('_', ' ').capitalize()}: {shown}")
    if not isinstance(checkpoint.time, str):
        terminal.say(f"Saved: {relative_time(checkpoint.time, terminal.now())}")
    return 0


async def publish(terminal: Terminal, service: AsyncServiceClient, arguments: Namespace) -> int:
    await service.create_rest_client().publish_checkpoint(arguments.path)
    terminal.say(f"Published {arguments.path}")
    return 0


async def unpublish(terminal: Terminal, service: AsyncServiceClient, arguments: Namespace) -> int:
    await service.create_rest_client().unpublish_checkpoint(arguments.path)
    terminal.say(f"Unpublished {arguments.path}")
    return 0


async def set_ttl(terminal: Terminal, service: AsyncServiceClient, arguments: Namespace) -> int:
    seconds = arguments.ttl
    if (seconds is None) != arguments.remove:
        raise invalid("say how long: either --ttl SECONDS or --remove")
    await service.create_rest_client().set_checkpoint_ttl(arguments.path, seconds)
    terminal.say(
        f"{arguments.path} {'never expires' if seconds is None else f'expires in {seconds} s'}"
    )
    return 0


async def delete(terminal: Terminal, service: AsyncServiceClient, arguments: Namespace) -> int:
    """Delete several, going on after a failure; all paths are checked before the first."""
    paths: list[str] = arguments.paths
    if bool(paths) == bool(arguments.run_id):
        raise invalid("say what to delete: either paths or --run-id RUN")
    if paths and (arguments.type or arguments.before or arguments.after):
        raise invalid("--type, --before and --after choose among a run's: give --run-id")
    for path in paths:
        parse_checkpoint_path(path)
    if arguments.run_id:
        paths = await _of_run(service.create_rest_client(), arguments)
    terminal.say(f"Preparing to delete {len(paths)} checkpoint(s):")
    for path in paths:
        terminal.say(f"  - {path}")
    if not arguments.yes and not terminal.ask("Proceed? [y/N] "):
        terminal.say(f"Aborted delete of {len(paths)} checkpoint(s).")
        return 0
    rest = service.create_rest_client()
    failures = [
        path
        for number, path in enumerate(paths, 1)
        if not await _delete_one(terminal, rest, path, f"{number}/{len(paths)}")
    ]
    return 1 if failures else 0


async def download(terminal: Terminal, service: AsyncServiceClient, arguments: Namespace) -> int:
    rest = service.create_rest_client()
    with byte_progress(terminal, arguments.path) as progress:
        done = await download_checkpoint(
            rest,
            arguments.path,
            output_dir=Path(arguments.output) if arguments.output else None,
            force=arguments.force,
            sha256=arguments.sha256,
            progress=progress,
        )
    terminal.say(f"Downloaded to {done.destination}")
    return 0


def checkpoint_json(checkpoint: Checkpoint) -> dict[str, Any]:
    """A checkpoint for machines."""
    body: dict[str, Any] = encode(checkpoint, nulls=False, time=time_text)
    return {**body, "training_run_id": checkpoint.training_run_id}


def slug(name: str) -> str:
    """A model's name as part of a checkpoint's."""
    return name.lower().replace("/", "-").replace(":", "-")


async def _of_run(rest: AsyncRestClient, arguments: Namespace) -> list[str]:
    """The paths of a run's checkpoints that the filters leave."""
    before, after = _moment(arguments.before), _moment(arguments.after)
    listed = (await rest.list_checkpoints(arguments.run_id)).checkpoints
    found = []
    for one in listed:
        segment = parse_checkpoint_path(one.tinker_path).segment
        made = one.time if isinstance(one.time, datetime) else None
        if arguments.type not in (None, segment):
            continue
        if (before and not (made and made < before)) or (after and not (made and made > after)):
            continue
        found.append(one.tinker_path)
    if not found:
        raise invalid(f"no checkpoints of {arguments.run_id} meet these conditions")
    return found


def _moment(text: str | None) -> datetime | None:
    """An ISO 8601 time, UTC where it names no zone. Raises `ValidationError`."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise invalid(f"not an ISO 8601 time: {text!r}") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


async def _delete_one(terminal: Terminal, rest: AsyncRestClient, path: str, place: str) -> bool:
    terminal.say(f"Deleting {place}: {path}")
    try:
        await rest.delete_checkpoint(path)
    except TinkerError as error:
        terminal.warn(f"Delete failed for {path}: {error}")
        return False
    terminal.say(f"Deleted {path}")
    return True


def _find(listed: CheckpointsList, path: str) -> Checkpoint:
    for checkpoint in listed.checkpoints:
        if checkpoint.tinker_path == path:
            return checkpoint
    raise invalid(f"no checkpoint {path}")
