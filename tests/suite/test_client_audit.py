"""The client audit: a good client passes, a faulty one is found out."""

import sys
from collections import Counter
from pathlib import Path

import pytest

from tinker_mock.cli import main
from tinker_mock.suite.client.audit import audit_client, situations
from tinker_mock.suite.client.judging import CLIENT_CHECKS
from tinker_mock.suite.core.verdict import Status

REFERENCE = [sys.executable, "-m", "tinker_mock.suite.client.recipes.reference_client"]
FAULTY = """
import os, httpx
base, key = os.environ["TINKER_BASE_URL"], os.environ["TINKER_API_KEY"]
client = httpx.Client(base_url=base + "/api/v1", headers={"x-api-key": key}, timeout=60)
post = lambda path, body: client.post(path, json=body).json()
session = post("create_session", {"tags": [], "user_metadata": {}, "sdk_version": "0.24.1"})
model = post("create_model", {"session_id": session["session_id"], "model_seq_id": 0,
    "base_model": os.environ["TINKER_MOCK_MODEL"], "lora_config": {"rank": 4}, "colour": "red"})
made = {}
while "model_id" not in made:
    made = post("retrieve_future", model)
tensor = {"data": [2.0], "dtype": "float32", "shape": [2]}
given = {"chunks": [{"tokens": [1, 2]}]}
datum = {"model_input": given, "loss_fn_inputs": {"target_tokens": tensor}}
for seq_id in (1, 3):
    post("forward_backward", {"model_id": made["model_id"], "seq_id": seq_id,
        "forward_backward_input": {"data": [datum], "loss_fn": "cross_entropy"}})
client.get("/not-an-operation")
"""


def test_situations_and_checks_fit() -> None:
    used = Counter(check.situation for check in CLIENT_CHECKS.values())
    assert set(used) == set(situations())


def test_the_reference_client_passes() -> None:
    found = audit_client(REFERENCE, ("healthy", "failing"), timeout=300)
    wrong = {one.check: (one.message, one.actual) for one in found if one.status.bad}
    assert wrong == {}
    assert sum(one.status is Status.PASS for one in found) >= 40


def test_a_careless_client_is_found_out(tmp_path: Path) -> None:
    program = tmp_path / "faulty.py"
    program.write_text(FAULTY)
    found = audit_client([sys.executable, str(program)], ("healthy",), timeout=300)
    bad = {one.check for one in found if one.status in (Status.FAIL, Status.WARN)}
    assert bad >= {
        "client/wire/known-operations", "client/wire/valid-requests", "client/wire/known-fields",
        "client/headers/idempotency-key", "client/order/contiguous",
    }  # fmt: skip


NAIVE = """
import os
from tinker_mock.client import AdamParams, Datum, ModelInput, ServiceClient
data = [Datum.of(ModelInput.from_ints([1, 2, 3]), target_tokens=[2, 3, 4], weights=[1.0] * 3)]
with ServiceClient() as service:
    training = service.create_lora_training_client(os.environ["TINKER_MOCK_MODEL"], rank=4)
    for _ in range(3):
        training.forward_backward(data, "cross_entropy").result()
        training.optim_step(AdamParams()).result()
"""


def paced(command: list[str]) -> tuple[Status, str]:
    found = audit_client(command, ("cycles",), timeout=300)
    (verdict,) = [one for one in found if one.check == "client/training/pipelined"]
    return verdict.status, verdict.actual


def test_a_loop_that_waits_for_each_result_is_told_what_it_costs(tmp_path: Path) -> None:
    program = tmp_path / "naive.py"
    program.write_text(NAIVE)
    status, actual = paced([sys.executable, str(program)])
    assert status is Status.WARN
    assert "your loop took 3 cycles a step; submit optim_step before waiting: 1" in actual
    assert paced(REFERENCE)[0] is Status.PASS


def test_the_command_tells_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "client", "--situation", "sunny", "--", "true"]) == 2
    assert "no situation 'sunny'" in capsys.readouterr().err


def test_a_program_that_does_nothing_passes_nothing() -> None:
    found = audit_client(["true"], ("healthy",))
    assert not [one for one in found if one.status is Status.ERROR]
    applied = {one.check for one in found if one.status is not Status.NOT_APPLICABLE}
    assert "client/order/contiguous" not in applied
