"""How things are written in a terminal."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tinker_mock.client.types.json import encode
from tinker_mock.client.types.records import Checkpoint, TrainingRun
from tinker_mock.client.types.results import SampledSequence

_UNITS = ("B", "KB", "MB", "GB", "TB")
CHECKPOINT_COLUMNS = ("Checkpoint ID", "Type", "Size", "Public", "Created", "Expires", "Path")
RUN_COLUMNS = ("Run ID", "Base Model", "Owner", "LoRA", "Status", "Last Update")


def size_text(size: int | None) -> str:
    """Bytes as a whole number, larger ones with one decimal; N/A when unknown."""
    if size is None:
        return "N/A"
    value, unit = float(size), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{size} B" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def time_text(time: datetime | str | None) -> str:
    """ISO 8601 in UTC with a Z; other texts as they are."""
    if time is None:
        return "N/A"
    if isinstance(time, str):
        return time
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def json_text(value: Any) -> str:
    """A value for machines, without nulls; all times in UTC with a Z."""
    return json.dumps(encode(value, nulls=False, time=time_text))


def relative_time(time: datetime | str | None, now: datetime) -> str:
    """`2 hours ago`, `in 2 hours`; the date when that is a month away; Never for none."""
    if time is None:
        return "Never"
    if isinstance(time, str):
        return time
    distance = now - time
    past, distance = distance >= timedelta(0), abs(distance)
    if distance >= timedelta(days=30):
        return time.date().isoformat()
    for name, length in (
        ("day", timedelta(days=1)),
        ("hour", timedelta(hours=1)),
        ("minute", timedelta(minutes=1)),
    ):
        count = distance // length
        if count:
            text = f"{count} {name}{'' if count == 1 else 's'}"
            return f"{text} ago" if past else f"in {text}"
    return "just now" if past else "in a moment"


def lora_text(is_lora: bool | None, rank: int | None) -> str:
    if not is_lora:
        return "No"
    return "Yes" if rank is None else f"Yes (rank {rank})"


def status_text(corrupted: bool) -> str:
    return "Failed" if corrupted else "Active"


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A title and tab-separated lines."""
    return [title, "\t".join(columns), *("\t".join(row) for row in rows)]


def checkpoint_table(
    checkpoints: Sequence[Checkpoint], total: int, now: datetime, run_id: str | None = None
) -> list[str]:
    """The lines of a checkpoint list."""
    title = "Checkpoints" if run_id is None else f"Checkpoints for {run_id}"
    rows = [
        (
            one.checkpoint_id,
            one.checkpoint_type,
            size_text(one.size_bytes),
            str(one.public).lower(),
            relative_time(one.time, now),
            relative_time(one.expires_at, now),
            one.tinker_path,
        )
        for one in checkpoints
    ]
    return table(f"{title} ({len(checkpoints)}/{total})", CHECKPOINT_COLUMNS, rows)


def run_table(runs: Sequence[TrainingRun], total: int, now: datetime) -> list[str]:
    """The lines of a run list."""
    rows = [
        (
            run.training_run_id,
            run.base_model,
            run.model_owner,
            lora_text(run.is_lora, run.lora_rank),
            status_text(run.corrupted),
            relative_time(run.last_request_time, now),
        )
        for run in runs
    ]
    return table(f"Training runs ({len(runs)}/{total})", RUN_COLUMNS, rows)


def run_lines(run: TrainingRun) -> list[str]:
    """Everything about one run."""
    lines = [
        f"{run.training_run_id} ({run.base_model})",
        f"Owner: {run.model_owner}",
        f"LoRA: {'Yes' if run.is_lora else 'No'}",
    ]
    if run.lora_rank is not None:
        lines.append(f"LoRA rank: {run.lora_rank}")
    lines += [
        f"Status: {status_text(run.corrupted)}",
        f"Last update: {time_text(run.last_request_time)}",
    ]
    for name, checkpoint in (
        ("training", run.last_checkpoint),
        ("sampler", run.last_sampler_checkpoint),
    ):
        if checkpoint is not None:
            lines += [
                f"Last {name} checkpoint: {checkpoint.checkpoint_id}",
                f"  Time: {time_text(checkpoint.time)}",
                f"  Path: {checkpoint.tinker_path}",
            ]
    if run.user_metadata:
        pairs = ", ".join(f"{key}={value}" for key, value in sorted(run.user_metadata.items()))
        lines.append(f"Metadata: {pairs}")
    return lines


def sample_block(number: int, text: str, sequence: SampledSequence) -> str:
    """One sample with, under it, why it stopped and its mean log-probability."""
    notes = []
    if sequence.stop_reason is not None:
        notes.append(f"stop_reason={sequence.stop_reason}")
    if sequence.logprobs:
        mean = sum(sequence.logprobs) / len(sequence.logprobs)
        notes.append(f"avg_logprob={mean:.3f}")
    block = f"Sample {number}:\n{text}"
    return f"{block}\n{' | '.join(notes)}" if notes else block
