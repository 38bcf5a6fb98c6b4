"""The command line against a mock, and what it prints for people and for programs."""

import io
import json
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tinker_mock.client import AsyncServiceClient, Clock, ManualClock
from tinker_mock.client.commands.client import main
from tinker_mock.client.commands.terminal import Terminal
from tinker_mock.client.watch.events import EventHub
from tinker_mock.client.watch.tracing import trace_requests
from tinker_mock.suite.mock_process import mock_server

BASE = "Qwen/Qwen3-8B"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with mock_server(["--seed", "7", "--adapter-shapes", "compact"]) as url:
        yield url


class Console:
    clock: Clock | None = None

    def __init__(self, url: str) -> None:
        self.url = url

    def __call__(self, *argv: str, stdin: str = "") -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        terminal = Terminal(out=out, err=err, answers=io.StringIO(stdin))
        if self.clock is not None:
            terminal.open_service = partial(AsyncServiceClient, clock=self.clock)
        words = list(argv)
        words += ["--base-url", self.url, "--api-key", "tml-console"]
        return main(words, terminal), out.getvalue(), err.getvalue()


@pytest.fixture
def console(server: str, monkeypatch: pytest.MonkeyPatch) -> Console:
    for name in [name for name in os.environ if name.startswith(("TINKER_", "TINKEX_"))]:
        monkeypatch.delenv(name)
    return Console(server)


def test_a_checkpoint_from_its_making_to_its_end(console: Console, tmp_path: Path) -> None:
    record = tmp_path / "saved.json"
    code, out, err = console("checkpoint", "--base-model", BASE, "--output", str(record))
    assert (code, err) == (0, "")
    assert out == f"Checkpoint saved to {record}\n"
    path = json.loads(record.read_text())["weights_path"]

    listed = json.loads(console("checkpoint", "list", "--limit", "0", "--json")[1])
    assert path in [one["tinker_path"] for one in listed["checkpoints"]]
    table = console("checkpoint", "list")[1].splitlines()
    columns = ["Checkpoint ID", "Type", "Size", "Public", "Created", "Expires", "Path"]
    assert table[1].split("\t") == columns
    assert "\tNever\t" in table[2]
    assert console("checkpoint", "publish", path)[1] == f"Published {path}\n"
    info = json.loads(console("checkpoint", "info", path, "--json")[1])
    assert (info["public"], info["base_model"], info["lora_rank"]) == (True, BASE, 32)
    assert console("checkpoint", "set-ttl", path, "--ttl", "7200")[0] == 0

    folder = tmp_path / "files"
    assert console("checkpoint", "download", path, "--output", str(folder))[0] == 0
    (unpacked,) = folder.iterdir()
    assert (unpacked / "adapter_config.json").is_file()
    code, _, err = console("checkpoint", "download", path, "--output", str(folder))
    assert code == 1
    assert "exists; pass force" in err

    code, out, _ = console("checkpoint", "delete", path, stdin="no\n")
    assert (code, out.splitlines()[-1]) == (0, "Proceed? [y/N] Aborted delete of 1 checkpoint(s).")
    assert console("checkpoint", "delete", path, stdin="y\n")[0] == 0
    code, _, err = console("checkpoint", "delete", path, "--yes")
    assert code == 1
    assert f"Delete failed for {path}: [api_status (404)]" in err


def test_runs_are_listed_and_described(console: Console, tmp_path: Path) -> None:
    console("checkpoint", "--base-model", BASE, "--output", str(tmp_path / "x"), "--rank", "4")
    runs = json.loads(console("run", "list", "--json")[1])["runs"]
    assert runs[0]["lora_rank"] == 4
    text = console("run", "info", runs[0]["training_run_id"])[1]
    assert "LoRA rank: 4" in text
    assert "Status: Active" in text
    code, _, err = console("run", "info", "no-such-run")
    assert code == 1
    assert err.endswith("Please check your inputs.\n")


def test_samples_of_token_ids_as_json(console: Console, tmp_path: Path) -> None:
    prompt = tmp_path / "prompt.json"
    prompt.write_text('{"tokens": [100, 101]}')
    options = ("--prompt-file", str(prompt), "--max-tokens", "3", "--seed", "1", "--json")
    local = str(Path(__file__).parents[2] / "fixtures" / "tokenizers" / "bytelevel_small")
    for command in ("sample", "run"):
        code, out, err = console(command, "--base-model", BASE, "--tokenizer", local, *options)
        assert code == 0, err
        (sequence,) = json.loads(out)["sequences"]
        assert len(sequence["tokens"]) == 3
        assert isinstance(sequence["text"], str)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("sample", "--base-model", "m"), "give a prompt"),
        (("sample", "--prompt", "hi"), "give one of --base-model and --model-path"),
        (("checkpoint", "--base-model", "m"), "--output FILE is required"),
        (("checkpoint", "info", "no/path"), "must start with tinker://"),
        (("checkpoint", "set-ttl", "tinker://r/weights/x"), "say how long"),
    ],
)
def test_wrong_usage_is_explained(console: Console, argv: tuple[str, ...], message: str) -> None:
    code, out, err = console(*argv)
    assert (code, out) == (1, "")
    assert message in err


def test_a_server_that_is_not_there_is_not_waited_for(console: Console) -> None:
    console.url, console.clock = "http://127.0.0.1:1", ManualClock(autojump=True)
    code, _, err = console("run", "list")
    assert code == 1
    assert "[api_connection]" in err


def test_each_attempt_becomes_a_span() -> None:
    spans: list[dict[str, Any]] = []

    class Span:
        def __init__(self, name: str, **details: Any) -> None:
            self.seen = {"name": name, **details}

        def record_exception(self, error: BaseException) -> None:
            self.seen["error"] = str(error)

        def end(self, end_time: int) -> None:
            spans.append({**self.seen, "end": end_time})

    class Tracer:
        start_span = Span

    events = EventHub()
    stop = trace_requests(events, Tracer())
    data = {"method": "POST", "path": "/p", "attempt": 1, "duration_ms": 2.0, "ended_ns": 10**7}
    events.emit("http.request.start", **data)
    events.emit("http.request.stop", status=200, error=None, **data)
    events.emit("http.request.exception", status=None, error=OSError("cut"), **data)
    stop()
    events.emit("http.request.stop", status=200, error=None, **data)
    assert [span["name"] for span in spans] == ["POST /p", "POST /p"]
    assert spans[0]["start_time"] == 8 * 10**6
    assert spans[0]["attributes"]["http.response.status_code"] == 200
    assert spans[1]["error"] == "cut"
