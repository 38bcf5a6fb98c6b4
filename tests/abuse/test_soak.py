"""A minute's soak at most: what is bounded fills up, and then memory stands still."""

from tests.abuse.soak import ALLOWANCE, soak


def test_memory_stands_still() -> None:
    figures = soak(seconds=30, requests=4_000)
    print(figures.told())
    assert not figures.failures
    assert not [status for status in figures.statuses if status >= 500]
    assert figures.statuses.total() > 500
    assert figures.growth <= ALLOWANCE, figures.told()
