"""Training, curves, bills, sessions, models, keys and the Hub from the command line."""

import csv
import io
import json
import os
import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tinker_mock.client import ModelInput, ServiceClient
from tinker_mock.client.commands.client import main
from tinker_mock.client.commands.plot import chart, read_metrics, resampled, sparkline
from tinker_mock.client.commands.terminal import Terminal
from tinker_mock.client.compat.cli.__main__ import main_cli
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings

BASE = "Qwen/Qwen3-8B"
KEY = "tml-more-commands"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


class TerminalText(io.StringIO):
    """What looks like a terminal to a progress bar."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with RunningServer(Settings(port=0, adapter_shapes="compact")) as running:
        yield running.url


@pytest.fixture(autouse=True)
def environment(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("TINKER_", "TINKEX_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TINKER_BASE_URL", server)
    monkeypatch.setenv("TINKER_API_KEY", KEY)
    monkeypatch.delenv("HF_TOKEN", raising=False)


def console(*argv: str, stdin: str = "", **surroundings: Any) -> tuple[int, str, str]:
    out, err = io.StringIO(), surroundings.pop("err", io.StringIO())
    terminal = Terminal(out=out, err=err, answers=io.StringIO(stdin), **surroundings)
    return main(argv, terminal), out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def saved(server: str) -> Iterator[tuple[str, str]]:
    """A session, and the path of a checkpoint in it."""
    metadata = {"who": "me"}
    with ServiceClient(base_url=server, api_key=KEY, user_metadata=metadata) as service:
        training = service.create_lora_training_client(BASE, 4)
        path = training.save_state("kept").result().path
        yield training.model_id.partition(":")[0], path


def test_options_stand_before_or_after_the_action(server: str) -> None:
    wrong = ("--base-url", "http://127.0.0.1:1")
    right = ("--base-url", server)
    for argv in (
        (*right, "run", "list"),
        ("run", *right, "list"),
        ("run", "list", *right),
        (*wrong, "run", "list", *right),
    ):
        assert console(*argv)[0] == 0, argv
    assert json.loads(console("--format", "json", "model", "list")[1])["models"]
    with pytest.raises(SystemExit) as ended:
        console("--timeout", "-1", "run", "list")
    assert ended.value.code == 2


@pytest.mark.parametrize(
    "command",
    [("run", "list"), ("checkpoint", "list"), ("model", "list"), ("session", "list")],
    ids=" ".join,
)
def test_every_command_keeps_its_timeout(command: tuple[str, ...]) -> None:

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        code, _, err = console(*command, "--base-url", url, "--timeout", "200")
    assert code == 1
    assert "not done within 200 ms" in err


def test_a_training_run_with_its_curve(tmp_path: Path) -> None:
    data, metrics = tmp_path / "data.jsonl", tmp_path / "metrics.jsonl"
    data.write_text('{"tokens": [5, 6, 7, 8]}\n\n{"tokens": [9, 10, 11]}\n')
    err = TerminalText()
    code, out, shown = console(
        *("train", str(data), "--base-model", BASE, "--rank", "4", "--steps", "5"),
        *("--learning-rate", "1e-2", "--metrics", str(metrics), "--name", "done", "--json"),
        err=err,
    )
    assert code == 0, shown
    result = json.loads(out)
    assert result["weights_path"].endswith("/weights/done")
    losses = [json.loads(line)["loss"] for line in metrics.read_text().splitlines()]
    assert len(losses) == 5
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] == result["loss"]
    assert "5/5" in shown
    assert f"loss {losses[-1]:.4f}" in shown

    code, drawn, _ = console("plot", str(metrics), "--metric", "loss", "--width", "40")
    assert code == 0
    title, *rows = drawn.splitlines()
    assert title == f"loss: {losses[0]:.4g} → {losses[-1]:.4g} (5 steps)"
    assert len(rows) == 10
    assert rows[0].strip().startswith(f"{max(losses):.4g} ┤█")
    assert all(len(row) <= 40 for row in rows)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nonsense\n", "line 1"),
        ('{"tokens": [1]}\n', "at least two tokens"),
        ('{"words": 1}\n', "tokens, text, or prompt"),
        ("\n", "no examples"),
    ],
)
def test_examples_that_are_none_are_named(tmp_path: Path, text: str, says: str) -> None:
    data = tmp_path / "data.jsonl"
    data.write_text(text)
    code, _, err = console("train", str(data), "--base-model", BASE)
    assert code == 1
    assert says in err


def test_charts() -> None:
    lines = ['{"step": 1, "loss": 2.0, "ok": true}', "", '{"step": 2, "loss": 1.0, "kl": 0.5}']
    assert read_metrics(lines) == {"loss": [2.0, 1.0], "kl": [0.5]}
    assert chart("loss", [0.0, 1.0], 20, 2) == ["loss: 0 → 1 (2 steps)", "1 ┤ █", "0 ┤▁█"]
    assert resampled([1.0, 3.0, 5.0, 7.0], 2) == [2.0, 6.0]
    assert sparkline([0.0, 1.0, 2.0], 10) == "▁▅█"
    code, _, err = console("plot", "-", "--metric", "other", stdin='{"loss": 1}\n')
    assert (code, "no metric other; the file has loss" in err) == (1, True)


def test_bills_as_tables_json_and_csv(saved: tuple[str, str], tmp_path: Path) -> None:
    with ServiceClient() as service:
        service.create_sampling_client(base_model=BASE).compute_logprobs(
            ModelInput.from_ints([1, 2])
        ).result()
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    window = [(hour + timedelta(hours=n)).strftime("%Y-%m-%dT%H:%M:%SZ") for n in (-1, 1)]
    found = json.loads(console("billing", "usage", *window, "--json")[1])
    kinds = {one["event_info"]["type"] for one in found["data"]}
    assert "sampling_prefill" in kinds
    assert all(TIME.fullmatch(one["bucket_start"]) for one in found["data"])
    table = console("billing", "usage", *window)[1].splitlines()
    assert table[0] == f"Usage ({len(found['data'])})"
    rows, people = tmp_path / "rows.csv", tmp_path / "sessions.csv"
    files = ("--csv", str(rows), "--sessions-csv", str(people))
    assert console("billing", "usage", *window, *files) == (0, "", "")
    with rows.open(newline="") as file:
        assert {row["type"] for row in csv.DictReader(file)} == kinds
    with people.open(newline="") as file:
        assert {"session_id", "key", "value"} == set(next(csv.reader(file)))
    stored = json.loads(console("billing", "checkpoint-storage", "--json")[1])
    assert sum(one["checkpoint_count"] for one in stored["data"]) >= 1
    assert "Checkpoint storage" in console("billing", "checkpoint-storage")[1]


def test_sessions_and_their_traces(saved: tuple[str, str], tmp_path: Path) -> None:
    session_id, path = saved
    assert session_id in json.loads(console("session", "list", "--json")[1])["sessions"]
    assert session_id in console("session", "list", "--limit", "100")[1]
    text = console("session", "info", session_id)[1]
    assert f"Run: {path.removeprefix('tinker://').partition('/')[0]}" in text
    assert "Metadata: who=me" in text
    trace = tmp_path / "session.pftrace"
    assert console("session", "export-trace", session_id, "-o", str(trace))[0] == 0
    assert trace.stat().st_size > 0
    link = console("session", "export-trace", session_id, "--url-only")[1]
    assert link.startswith("http")


def test_models_and_keys() -> None:
    assert f"{BASE}\t" in console("model", "list")[1]
    code, out, _ = console("auth", "status")
    assert code == 0
    assert "Access: ok" in out
    assert KEY not in out
    code, out, _ = console(
        "auth", "status", "--api-key", "tml-x", "--base-url", "http://127.0.0.1:1"
    )
    assert code == 1
    assert "[api_connection]" in out
    who = json.loads(console("auth", "whoami", "--json")[1])
    assert who["org_urn"].startswith("tml:organization:")


def test_times_are_all_written_alike(saved: tuple[str, str]) -> None:
    _, path = saved
    console("checkpoint", "set-ttl", path, "--ttl", "7200")
    run = json.loads(console("run", "list", "--json")[1])["runs"][0]
    one = json.loads(console("checkpoint", "info", path, "--json")[1])
    listed = json.loads(console("checkpoint", "list", "--limit", "0", "--json")[1])["checkpoints"]
    times = [run["last_request_time"], one["time"], one["expires_at"]]
    times += [entry["time"] for entry in listed]
    assert all(TIME.fullmatch(time) for time in times), times


def test_deleting_what_a_run_has(server: str) -> None:
    with ServiceClient() as service:
        training = service.create_lora_training_client(BASE, 4)
        for name in ("a", "b"):
            training.save_state(name).result()
        training.save_weights_for_sampler("s").result()
        run = training.model_id
        old = ("--before", "2020-01-01")
        code, _, err = console("checkpoint", "delete", "--run-id", run, *old, "--yes")
        assert (code, "meet these conditions" in err) == (1, True)
        assert console("checkpoint", "delete", "--run-id", run, "--type", "weights", "-y")[0] == 0
        left = service.create_rest_client().list_checkpoints(run).checkpoints
        assert [one.checkpoint_id for one in left] == ["sampler_weights/s"]
    for words in ((), ("tinker://r/weights/x", "--run-id", "r"), ("tinker://r/weights/x", *old)):
        code, _, err = console("checkpoint", "delete", *words, "--yes")
        assert (code, "Delete failed" in err) == (1, True)


def test_a_checkpoint_is_prepared_for_the_hub_and_pushed(
    saved: tuple[str, str], tmp_path: Path
) -> None:
    _, path = saved
    code, out, err = console(
        "checkpoint", "push-hf", path, "--repo", "me/adapter", "--dry-run", str(tmp_path), "--json"
    )
    assert code == 0, err
    done = json.loads(out)
    assert {"README.md", "adapter_config.json", "adapter_model.safetensors"} <= set(done["files"])
    card = (Path(done["folder"]) / "README.md").read_text()
    assert f"base_model: {BASE}" in card
    assert "rank 4" in card

    calls: list[dict[str, Any]] = []

    class Hub:
        def __init__(self, token: str | None) -> None:
            self.token = token

        def create_repo(self, repo: str, **options: Any) -> Any:
            calls.append({"repo": repo, **options})
            return SimpleNamespace(repo_id=repo)

        def upload_folder(self, **options: Any) -> str:
            options["files"] = sorted(os.listdir(options["folder_path"]))
            calls.append(options)
            return "https://hub/me/adapter/commit/1"

    code, out, err = console(
        *("checkpoint", "push-hf", path, "-r", "me/adapter", "--public", "--no-model-card"),
        open_hub=Hub,
    )
    assert (code, out) == (0, f"Pushed {path} to https://hub/me/adapter/commit/1\n"), err
    made, pushed = calls
    assert (made["repo"], made["private"]) == ("me/adapter", False)
    assert "README.md" not in pushed["files"]
    assert "adapter_model.safetensors" in pushed["files"]

    class Refusing(Hub):
        def upload_folder(self, **options: Any) -> str:
            raise OSError("no network")

    code, _, err = console("checkpoint", "push-hf", path, "-r", "me/x", open_hub=Refusing)
    assert (code, "the Hub did not take it: no network" in err) == (1, True)
    code, _, err = console("checkpoint", "push-hf", path, "-r", "me/x")
    assert (code, "not logged in to the Hub" in err) == (1, True)

    sampler = path.replace("/weights/", "/sampler_weights/")
    code, _, err = console("checkpoint", "push-hf", sampler, "--dry-run", str(tmp_path))
    assert (code, "cannot be pushed" in err) == (1, True)


def test_the_same_commands_by_the_name_of_the_sdk(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main_cli(["--format", "json", "run", "list", "--limit", "1"])
    assert ended.value.code == 0
    assert len(json.loads(capsys.readouterr().out)["runs"]) == 1
