"""The official SDK, used in any ordinary way, is conformant: the audit has nothing to say of it."""

from pathlib import Path

import pytest

from tinker_mock.suite.client.audit import audit_client
from tinker_mock.suite.core.verdict import Status
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


def said_of(release: str, ways: list[str], situations: tuple[str, ...]) -> dict[str, str]:
    try:
        python, environment = process(release)
    except EnvironmentMissing as missing:
        pytest.skip(str(missing))
    found = audit_client(
        [python, str(PROGRAM), *ways], situations, timeout=300, environment=environment
    )
    return {one.check: f"{one.message} {one.actual}" for one in found if one.status not in FINE}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("release", ["0.7.0", "0.24.1", "0.38.0"])
def test_an_official_release_is_conformant(release: str, way: str) -> None:
    assert said_of(release, WAYS[way], ("healthy",)) == {}


@pytest.mark.parametrize("release", ["0.24.1", "0.38.0"])
def test_equal_samples_at_once_are_no_repetitions_of_each_other(release: str) -> None:
    assert said_of(release, [], ("throttled", "unavailable")) == {}
