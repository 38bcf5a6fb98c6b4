"""A minute's soak at most: what is bounded fills up, and then memory stands still."""

import asyncio
import gc
from collections import Counter

import pytest

from tests.abuse.soak import ALLOWANCE, Client, Figures, soak
from tinker_mock.server.serving.in_thread import RunningServer

SMALL = {"journal_size": 100, "kept_results": 50, "max_models": 10, "long_poll": 1.0}
DAYS = 156
SLACK = 1.05


def test_memory_stands_still() -> None:
    figures = soak(seconds=30, requests=4_000, filled=0.5)
    print(figures.told())
    assert not figures.failures
    assert not [status for status in figures.statuses if status >= 500]
    assert figures.statuses.total() > 500
    assert figures.growth <= ALLOWANCE, figures.told()


def own_objects() -> Counter[str]:
    """The project's objects that are alive, by class; `all` counts everything."""
    gc.collect()
    found = gc.get_objects()
    kinds = Counter(type(one) for one in found)
    own = {k.__qualname__: n for k, n in kinds.items() if str(k.__module__)[:12] == "tinker_mock."}
    return Counter(own | {"all": len(found)})


@pytest.mark.tinker_mock(**SMALL)
def test_as_many_objects_are_alive_after_twice_the_work(tinker_mock: RunningServer) -> None:
    figures = Figures()

    async def play() -> list[Counter[str]]:
        client = Client(tinker_mock.url, 1, figures)
        counted = []
        async with client:
            for _ in range(3):
                for _ in range(DAYS // 3):
                    await client.day()
                counted.append(own_objects())
        return counted

    _, middle, end = asyncio.run(play())
    del middle["Point"], end["Point"]  # of curves, whose bound has a test of its own
    assert figures.statuses == Counter({200: figures.statuses.total()})
    assert end["all"] < SLACK * middle["all"]
    grown = {kind: (middle[kind], count) for kind, count in end.items()}
    assert not {k: v for k, v in grown.items() if v[1] > SLACK * v[0] + 100}
