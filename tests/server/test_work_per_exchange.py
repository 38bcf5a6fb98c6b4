"""What an exchange makes the server do, counted: no time is measured."""

import asyncio
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypercorn.asyncio import tcp_server

from tinker_mock.contracts import Operation
from tinker_mock.server.service import pace
from tinker_mock.server.service.compute import Compute
from tinker_mock.server.serving.in_thread import RunningServer

KEY = {"X-API-Key": "tml-counted"}
TOKENS = list(range(100, 228))
TARGETS = {"data": [token + 1 for token in TOKENS], "dtype": "int64", "shape": [len(TOKENS)]}
CHUNKS = {"chunks": [{"type": "encoded_text", "tokens": TOKENS}]}
DATUM = {"model_input": CHUNKS, "loss_fn_inputs": {"target_tokens": TARGETS}}


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with RunningServer() as server, httpx.Client(base_url=f"{server.url}/api/v1/") as http:
        http.headers.update(KEY)
        yield http


def post(client: httpx.Client, path: str, body: dict[str, Any]) -> Any:
    return client.post(path, json=body).raise_for_status().json()


def done(client: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, str]:
    """The poll of a promise that is ready."""
    poll = {"request_id": post(client, path, body)["request_id"]}
    while post(client, "retrieve_future", poll).get("type") == "try_again":
        pass
    return poll


def model(client: httpx.Client) -> str:
    told: dict[str, Any] = {"tags": [], "sdk_version": "0.38.0", "user_metadata": None}
    session = post(client, "create_session", told)["session_id"]
    lora = {"base_model": "Qwen/Qwen3-8B", "lora_config": {"rank": 8}, "model_seq_id": 0}
    return str(
        done(client, "create_model", {"session_id": session} | lora) and f"{session}:train:0"
    )


def step(client: httpx.Client, run: str, number: int) -> dict[str, str]:
    given = {"data": [DATUM] * 8, "loss_fn": "cross_entropy"}
    loss = {"model_id": run, "seq_id": number, "forward_backward_input": given}
    done(client, "forward_backward", loss)
    return done(client, "optim_step", {"model_id": run, "seq_id": number + 1, "adam_params": {}})


def counted(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, counts: Counter[str]) -> None:
    """Count the calls of a function."""
    real = getattr(owner, name)

    def call(*arguments: Any, **named: Any) -> Any:
        counts[name] += 1
        return real(*arguments, **named)

    monkeypatch.setattr(owner, name, call)


def test_small_steps_are_not_handed_to_threads(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "BLINK", 3600.0)  # however busy this machine is
    run = model(client)
    step(client, run, 1)
    counts: Counter[str] = Counter()
    counted(monkeypatch, Compute, "run", counts)
    step(client, run, 3)
    assert counts["run"] == 0


def test_work_whose_pace_is_not_known_goes_to_a_thread(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: Counter[str] = Counter()
    counted(monkeypatch, Compute, "run", counts)
    run = model(client)
    before = counts["run"]
    step(client, run, 1)
    assert counts["run"] == before + 2


def test_a_large_batch_never_runs_on_the_loop(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "BLINK", 3600.0)
    run = model(client)
    step(client, run, 1)
    counts: Counter[str] = Counter()
    counted(monkeypatch, Compute, "run", counts)
    given = {"data": [DATUM] * (1 + pace.SMALL // (2 * len(TOKENS))), "loss_fn": "cross_entropy"}
    loss = {"model_id": run, "seq_id": 3, "forward_backward_input": given}
    done(client, "forward_backward", loss)
    assert counts["run"] == 1


def test_a_poll_that_is_ready_waits_for_nothing(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    poll = step(client, model(client), 1)
    counts: Counter[str] = Counter()
    counted(monkeypatch, asyncio, "ensure_future", counts)
    counted(monkeypatch, asyncio, "wait", counts)
    for _ in range(10):
        assert "metrics" in post(client, "retrieve_future", poll)
    assert not counts


def test_steps_build_no_prior(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from tinker_mock.server.engine.model import frozen_model

    run = model(client)
    step(client, run, 1)
    counts: Counter[str] = Counter()
    counted(monkeypatch, frozen_model, "build_prior", counts)
    step(client, run, 3)
    assert not counts


def test_a_poll_that_is_ready_takes_no_task_of_its_own(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    poll = step(client, model(client), 1)
    counts: Counter[str] = Counter()
    counted(monkeypatch, asyncio.base_events.BaseEventLoop, "create_task", counts)
    for _ in range(10):
        assert "metrics" in post(client, "retrieve_future", poll)
    assert not counts


def test_usual_requests_need_none_of_hypercorns_protocols(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: Counter[str] = Counter()
    counted(monkeypatch, tcp_server, "ProtocolWrapper", counts)
    with RunningServer() as server, httpx.Client(base_url=f"{server.url}/api/v1/") as http:
        http.headers.update(KEY)
        step(http, model(http), 1)
        assert not counts
        http.get("healthz", headers={"Connection": "close"}).raise_for_status()
    assert counts["ProtocolWrapper"] == 1, "what is unusual has them"


def test_a_message_is_judged_once(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer; of a poll also the result that it brings. The request is looked at once."""
    run = model(client)
    poll = step(client, run, 1)
    counts: Counter[str] = Counter()
    counted(monkeypatch, Operation, "_judge", counts)
    counted(monkeypatch, Operation, "knows", counts)
    post(client, "optim_step", {"model_id": run, "seq_id": 3, "adam_params": {}})
    assert counts == {"_judge": 1, "knows": 1}
    post(client, "retrieve_future", poll)
    assert counts == {"_judge": 3, "knows": 2}


def test_a_start_imports_little_and_collects_no_garbage() -> None:
    """`serve` up to where it would take requests."""
    program = (
        "import gc, sys\n"
        "from tinker_mock.server.serving import servers\n"
        "from tinker_mock.server.serving import command\n"
        "from tinker_mock.server.settings import Settings\n"
        "seen = []\n"
        "def taken(app, settings, listener, ready, peers):\n"
        "    seen.append([gc.isenabled(), len([m for m in sys.modules if 'tinker_mock' in m])])\n"
        "    late = 'yaml', 'hypercorn', 'h2', 'numpy', 'sqlite3', 'ctypes', 'statistics'\n"
        "    seen.append([name for name in late if name in sys.modules])\n"
        "    return 0\n"
        "command.serve_until_signal = taken\n"
        "collected = []\n"
        "command.gc.callbacks.append(lambda phase, told: collected.append(phase))\n"
        "with command.bind_socket('127.0.0.1', 0) as listener:\n"
        "    before = len(collected)\n"
        "    command.serve_one(Settings(), listener, ready=print)\n"
        "print(seen[0], len(collected) - before, *seen[1])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    enabled, modules, collections, *late = re.findall(r"\w+", done.stdout)
    assert (enabled, collections, late) == ("False", "0", []), done.stderr
    assert int(modules) < 185
