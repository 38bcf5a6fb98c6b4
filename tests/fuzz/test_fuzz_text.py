"""The seeded short form of `make fuzz BENCH=text`."""

import pytest

from tests.fuzz.fuzz_text import PARTS, rounds


@pytest.mark.parametrize("part", PARTS)
def test_no_difference_to_the_authority(part: str) -> None:
    count = 20 if part == "directories" else 300
    played, found = rounds(part, seed=0, count=count)
    assert (played, found) == (count, [])
