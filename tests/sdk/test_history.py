"""The history in the repository is what the published wheels say."""

from conformance.suite.audit import environment
from conformance.suite.audit.history import unpacked_surfaces
from contracts.history import fold, load_history


def test_the_history_is_what_the_wheels_say() -> None:
    releases = list(environment.releases())
    folded = fold(unpacked_surfaces(releases))
    assert folded == load_history(), "run `make history`"
