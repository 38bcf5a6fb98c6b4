"""What the command line asks for, prints and writes, word by word, over a scripted server."""

import io
import json
from argparse import ArgumentParser
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.client.conftest import ScriptedServer, config
from tests.client.opened import MODEL
from tinker_mock.client import AsyncServiceClient, Checkpoint, ManualClock, SampledSequence
from tinker_mock.client.commands import formats
from tinker_mock.client.commands.client import add_arguments, main
from tinker_mock.client.commands.terminal import Terminal
from tinker_mock.client.types.json import decode


class Console:
    """Runs commands over a scripted server and keeps what they say."""

    def __init__(self, answers: dict[str, Any] | None = None, stdin: str = "") -> None:
        self.server = ScriptedServer(answers or {})
        self.out, self.err = io.StringIO(), io.StringIO()
        self.terminal = Terminal(
            out=self.out,
            err=self.err,
            answers=io.StringIO(stdin),
            open_service=self._open,
            now=lambda: datetime(2025, 1, 1, tzinfo=UTC),
            program="tinkex",
            version="9.9.9",
        )

    def _open(self, **options: Any) -> AsyncServiceClient:
        ours = {"api_key", "base_url", "preset"}
        limits = {name: value for name, value in options.items() if name not in ours}
        return AsyncServiceClient(config("tinkex", **limits), http=self.server, clock=ManualClock())

    def __call__(self, *argv: str) -> tuple[int, str, str]:
        with redirect_stdout(self.out), redirect_stderr(self.err):
            try:
                code = main(argv, self.terminal)
            except SystemExit as exit_:
                code = int(exit_.code or 0)
        return code, self.out.getvalue(), self.err.getvalue()


def checkpoint(run_id: str, number: int) -> dict[str, Any]:
    return {
        "checkpoint_id": f"ckpt-{run_id}-{number}",
        "checkpoint_type": "weights",
        "size_bytes": 1024,
        "public": True,
        "time": "2025-11-26T00:00:00Z",
        "tinker_path": f"tinker://{run_id}/weights/{number:04d}",
    }


def test_help_names_the_commands() -> None:
    code, out, _ = Console()("--help")
    assert code == 0
    for word in ("usage:", "checkpoint", "version"):
        assert word in out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("version", "--deps"), "tinkex 9.9.9\n"),
        (("version", "--json"), {"version": "9.9.9", "commit": None}),
    ],
)
def test_versions(argv: tuple[str, ...], said: Any) -> None:
    code, out, _ = Console()(*argv)
    assert code == 0
    assert (out if isinstance(said, str) else json.loads(out)) == said


def test_a_saved_checkpoint_is_recorded_in_a_file(tmp_path: Path) -> None:
    path = "/remote/snapshot.bin"
    console = Console(
        {
            **MODEL,
            "create_model": {"model_id": "model-xyz", "type": "create_model"},
            "save_weights": {"model_id": "model-xyz", "path": path, "type": "save_weights"},
        }
    )
    record = tmp_path / "out.json"
    argv = ["checkpoint", "--base-model", "Qwen/Qwen2.5-7B", "--rank", "8"]
    argv += ["--output", str(record), "--api-key", "tml-test-key", "--timeout", "1000"]
    assert console(*argv)[0] == 0
    written = json.loads(record.read_text())
    assert written.pop("response")["path"] == path
    assert written == {
        "base_model": "Qwen/Qwen2.5-7B",
        "model_id": "model-xyz",
        "weights_path": path,
        "saved_at": "2025-01-01T00:00:00Z",
    }
    lora = console.server.bodies("create_model")[0]["lora_config"]
    wanted = {"rank": 8, "train_mlp": True, "train_attn": True, "train_unembed": True}
    assert {name: lora[name] for name in wanted} == wanted
    parser = ArgumentParser()
    add_arguments(parser)
    assert parser.parse_args(argv).timeout == 1000


def test_users_mistakes_come_with_advice_and_leave_no_file(tmp_path: Path) -> None:
    mistake = {"message": "quota exceeded", "category": "user"}
    console = Console({**MODEL, "create_model": (400, mistake)})
    record = tmp_path / "out.json"
    code, _, err = console("checkpoint", "--base-model", "m", "--output", str(record))
    assert code == 1
    assert "quota exceeded" in err
    assert "Please check your inputs" in err
    assert not record.exists()


def test_all_checkpoints_are_fetched_page_by_page() -> None:
    checkpoints = [checkpoint("run-a", 1), checkpoint("run-a", 2), checkpoint("run-c", 1)]

    def page(request: httpx.Request) -> Any:
        limit, offset = (int(request.url.params[name]) for name in ("limit", "offset"))
        cursor = {"offset": offset, "limit": limit, "total_count": 3}
        return {"checkpoints": checkpoints[offset : offset + limit], "cursor": cursor}

    console = Console({"checkpoints": page})
    console.terminal.page_size = 2
    code, out, err = console("checkpoint", "list", "--limit", "0", "--format", "json")
    body = json.loads(out)
    assert (code, body["total"], body["shown"], len(body["checkpoints"])) == (0, 3, 3, 3)
    assert "Fetching checkpoints" in err
    assert "3/3" in err
    asked = [dict(one.url.params) for one in console.server.requests]
    assert asked == [{"limit": "2", "offset": "0"}, {"limit": "1", "offset": "2"}]


def test_checkpoints_of_one_run() -> None:
    listed = {"checkpoints": [checkpoint("run-a", 1), checkpoint("run-a", 2)]}
    console = Console({"training_runs/run-a/checkpoints": listed})
    body = json.loads(console("checkpoint", "list", "--run-id", "run-a", "--format", "json")[1])
    assert (body["run_id"], len(body["checkpoints"])) == ("run-a", 2)
    assert console.server.paths() == ["training_runs/run-a/checkpoints"]


def test_a_checkpoint_is_described_with_its_weights() -> None:
    weights = {"base_model": "meta-llama/Llama-3.1-8B", "is_lora": True, "lora_rank": 16}
    listed = {"checkpoints": [checkpoint("run-a", 1)]}
    console = Console({"training_runs/run-a/checkpoints": listed, "weights_info": weights})
    path = "tinker://run-a/weights/0001"
    body = json.loads(console("checkpoint", "info", path, "--format", "json")[1])
    wanted = {
        "checkpoint_id": "ckpt-run-a-1",
        "checkpoint_type": "weights",
        "training_run_id": "run-a",
        "size_bytes": 1024,
        "public": True,
        "time": "2025-11-26T00:00:00Z",
        **weights,
    }
    assert {name: body[name] for name in wanted} == wanted


def test_a_run_is_described() -> None:
    run = {
        "training_run_id": "run-b",
        "base_model": "base",
        "model_owner": "owner-b",
        "is_lora": True,
        "lora_rank": 8,
        "corrupted": True,
        "last_request_time": "2025-11-26T00:00:00Z",
        "last_checkpoint": checkpoint("run-a", 2),
        "user_metadata": {"stage": "dev"},
    }
    out = Console({"training_runs/run-b": run})("run", "info", "run-b")[1]
    for line in (
        "run-b",
        "Owner: owner-b",
        "LoRA rank: 8",
        "Status: Failed",
        "Last training checkpoint: ckpt-run-a-2",
        "Metadata: stage=dev",
    ):
        assert line in out


ONE, TWO = "tinker://run-1/weights/0001", "tinker://run-2/weights/0002"
DELETED = {"training_runs/run-1/checkpoints/weights/0001": {}}


def test_deleting_asks_unless_told_not_to() -> None:
    console = Console(DELETED)
    code, out, _ = console("checkpoint", "delete", ONE, "--yes")
    assert (code, len(console.server.requests)) == (0, 1)
    assert "Proceed?" not in out
    console = Console(DELETED, stdin="n\n")
    out = console("checkpoint", "delete", ONE)[1]
    assert "Aborted delete of 1 checkpoint" in out
    assert console.server.requests == []


def test_a_delete_that_fails_does_not_stop_the_others() -> None:
    failure = httpx.Response(
        500, json={"message": "failed delete"}, headers={"x-should-retry": "false"}
    )
    console = Console({**DELETED, "training_runs/run-2/checkpoints/weights/0002": failure})
    code, out, err = console("checkpoint", "delete", ONE, TWO, "--yes")
    assert (code, out.count("\nDeleted "), err.count("Delete failed")) == (1, 1, 1)
    assert f"Delete failed for {TWO}: [api_status (500)] failed delete" in err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("checkpoint", "delete", "/not-a-tinker-path"), "Checkpoint path"),
        (
            ("run", "--base-model", "model", "--prompt", "hi", "--prompt-file", "path"),
            "--prompt and --prompt-file",
        ),
    ],
)
def test_mistakes_are_found_before_anything_is_sent(argv: tuple[str, ...], message: str) -> None:
    console = Console()
    code, _, err = console(*argv)
    assert (code, console.server.requests) == (1, [])
    assert message in err


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        ("2026-03-10T22:00:00Z", "2 hours ago"),
        ("2026-03-11T02:00:00Z", "in 2 hours"),
        ("2026-01-01T00:00:00Z", "2026-01-01"),
    ],
)
def test_times_for_people(moment: str, text: str) -> None:
    now = datetime(2026, 3, 11, tzinfo=UTC)
    assert formats.relative_time(datetime.fromisoformat(moment), now) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (None, "N/A"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KB"),
        (1_048_576, "1.0 MB"),
        (1_073_741_824, "1.0 GB"),
    ],
)
def test_sizes_for_people(size: int | None, text: str) -> None:
    assert formats.size_text(size) == text


@pytest.mark.parametrize(
    ("is_lora", "rank", "text"),
    [
        (None, None, "No"),
        (False, None, "No"),
        (False, 8, "No"),
        (True, None, "Yes"),
        (True, 8, "Yes (rank 8)"),
    ],
)
def test_lora_for_people(is_lora: bool | None, rank: int | None, text: str) -> None:
    assert formats.lora_text(is_lora, rank) == text


def test_states_tables_and_samples_for_people() -> None:
    now = datetime(2025, 11, 26, 2, tzinfo=UTC)
    assert (formats.status_text(False), formats.status_text(True)) == ("Active", "Failed")
    assert formats.checkpoint_table([], 0, now, "run-a")[0] == "Checkpoints for run-a (0/0)"
    assert formats.checkpoint_table([decode(Checkpoint, checkpoint("run-a", 1))], 3, now) == [
        "Checkpoints (1/3)",
        "Checkpoint ID\tType\tSize\tPublic\tCreated\tExpires\tPath",
        "ckpt-run-a-1\tweights\t1.0 KB\ttrue\t2 hours ago\tNever\ttinker://run-a/weights/0001",
    ]
    bare = SampledSequence([], None, None)
    assert formats.sample_block(1, "hello", bare) == "Sample 1:\nhello"
