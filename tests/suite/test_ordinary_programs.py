"""The official SDK, used in any ordinary way, is conformant: the audit has nothing to say of it."""

from importlib.resources import files
from pathlib import Path

import pytest

from tinker_mock.suite.client.audit import audit_client
from tinker_mock.suite.core.verdict import Status, Verdict
from tinker_mock.suite.sdk.environment import EnvironmentMissing, process

PROGRAM = Path(__file__).parent / "programs" / "ordinary.py"
WAYS = {
    "plain": [],
    "data without weights": ["bare"],
    "a batch of two megabytes": ["large"],
    "a loss of one's own": ["custom"],
    "by awaiting": ["async"],
}
FINE = (Status.PASS, Status.NOT_APPLICABLE)
REPORTING = str(files("tinker_mock.suite.client") / "recipes" / "every_use.py")
MEANING = ("asked", "told", "order", "nothing-else", "refusals")
TROUBLE = {"0.24.1": ("lost", "throttled"), "0.38.0": ("small", "tokens", "failed")}


def judged(release: str, program: list[str], situations: tuple[str, ...]) -> list[Verdict]:
    try:
        python, environment = process(release)
    except EnvironmentMissing as missing:
        pytest.skip(str(missing))
    return audit_client([python, *program], situations, timeout=300, environment=environment)


def wrong(found: list[Verdict]) -> dict[str, str]:
    return {one.check: f"{one.message} {one.actual}" for one in found if one.status not in FINE}


def said_of(release: str, ways: list[str], situations: tuple[str, ...]) -> dict[str, str]:
    return wrong(judged(release, [str(PROGRAM), *ways], situations))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("release", ["0.7.0", "0.24.1", "0.38.0"])
def test_an_official_release_is_conformant(release: str, way: str) -> None:
    assert said_of(release, WAYS[way], ("healthy",)) == {}


@pytest.mark.parametrize("release", ["0.24.1", "0.38.0"])
def test_equal_samples_at_once_are_no_repetitions_of_each_other(release: str) -> None:
    assert said_of(release, [], ("throttled", "unavailable")) == {}


@pytest.mark.parametrize("release", ["0.7.0", "0.24.1", "0.38.0"])
def test_an_official_release_sends_what_was_meant_and_tells_what_it_got(release: str) -> None:
    found = judged(release, [REPORTING], ("healthy",))
    assert wrong(found) == {}
    status = {one.check.removeprefix("client/understood/"): one.status for one in found}
    assert {name: status[name] for name in MEANING} == dict.fromkeys(MEANING, Status.PASS)


@pytest.mark.parametrize("release", TROUBLE)
def test_an_official_release_loses_nothing_in_trouble(release: str) -> None:
    found = judged(release, [REPORTING], TROUBLE[release])
    assert wrong(found) == {}
    told = {one.check for one in found if one.status is Status.PASS}
    assert told >= {f"client/{TROUBLE[release][0]}/{name}" for name in ("asked", "told")}
