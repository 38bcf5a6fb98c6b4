"""A bounded, seeded run of what `make fuzz` does at length."""

from tests.abuse.fuzz import against_a_server
from tests.abuse.requests import Generator

CASES = 600


def test_nothing_that_is_sent_hurts() -> None:
    figures = against_a_server(CASES, heads=60, seed=7)
    print(figures.told())
    assert figures.faults == [], figures.told()
    assert figures.statuses.total() > CASES
    assert len(figures.operations) > 90


def test_the_same_seed_draws_the_same_requests() -> None:
    one, other = Generator(3), Generator(3)
    assert [one.draw() for _ in range(50)] == [other.draw() for _ in range(50)]
