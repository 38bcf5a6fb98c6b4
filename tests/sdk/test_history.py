"""The history in the repository is what the published wheels say."""

from tinker_mock.contracts.history import fold, load_history
from tinker_mock.suite.commands.sdk_drift import unpacked_surfaces
from tinker_mock.suite.sdk import environment


def test_the_history_is_what_the_wheels_say() -> None:
    releases = list(environment.releases())
    folded = fold(unpacked_surfaces(releases))
    assert folded == load_history(), "run `make history`"
