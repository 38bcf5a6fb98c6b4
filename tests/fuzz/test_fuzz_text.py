"""The seeded short form of `make fuzz BENCH=text`."""

import pytest

from tests.fuzz.fuzz_text import PARTS, rounds


@pytest.mark.parametrize("part", PARTS)
def test_no_difference_to_the_authority(part: str) -> None:
    played, found = rounds(part, seed=0, count=300)
    assert (played, found) == (300, [])
