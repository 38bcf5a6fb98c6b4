"""What a program understood is judged: official releases understand, planted faults are seen."""

from pathlib import Path

import pytest

from tinker_mock.suite.client.audit import audit_client
from tinker_mock.suite.client.report import parsed
from tinker_mock.suite.core.verdict import Status
from tinker_mock.suite.sdk.environment import EnvironmentMissing, process

PROGRAM = Path(__file__).parent / "programs" / "reporting.py"
KINDS = ("form", "sent", "logprobs", "loss", "samples", "prompt-logprobs")
FAULTS = {
    "garbled": {"logprobs", "samples"},
    "chunks": {"logprobs"},
    "averaged": {"loss"},
    "shifted": {"sent"},
    "swapped": {"samples"},
    "lost": {"samples"},
    "unaligned": {"prompt-logprobs"},
}


def judged(release: str, situation: str, *faults: str) -> dict[str, Status]:
    try:
        python, environment = process(release)
    except EnvironmentMissing as missing:
        pytest.skip(str(missing))
    command = [python, str(PROGRAM), *faults]
    found = audit_client(command, (situation,), timeout=300, environment=environment)
    begin = "client/understood/"
    return {
        one.check.removeprefix(begin): one.status for one in found if one.check.startswith(begin)
    }


@pytest.mark.parametrize("release", ["0.7.0", "0.24.1", "0.38.0"])
def test_an_official_release_understands(release: str) -> None:
    found = judged(release, "healthy")
    assert {kind: found[kind] for kind in KINDS} == dict.fromkeys(KINDS, Status.PASS)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_client_that_misunderstands_is_seen(fault: str) -> None:
    found = judged("0.38.0", "healthy", fault)
    assert {kind for kind in KINDS if found[kind] is Status.FAIL} == FAULTS[fault]


@pytest.mark.parametrize("release", ["0.7.0", "0.38.0"])
def test_a_queue_that_stands_still_is_told(release: str) -> None:
    assert judged(release, "paused")["queue"] is Status.PASS
    assert judged(release, "paused", "deaf")["queue"] is Status.WARN


def test_a_line_that_is_none_is_kept_as_such() -> None:
    assert parsed("{no json")["value"] == "broken"
    assert parsed('{"value": "moods"}')["value"] == "broken"
    assert parsed('{"value": "queue", "says": "x"}') == {"value": "queue", "says": "x"}
