"""Where the reference client differs from a recorded one on purpose, with the reasons."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from tinker_mock.suite.cassettes.recorded_server import Difference, Side

_LIST = Path(__file__).with_name("deviations.yaml")


@dataclass(frozen=True, slots=True)
class Deviation:
    """One way of differing. `at` is a pointer into the request, "" for the whole call; `what`
    says how it differs there."""

    clients: tuple[str, ...]
    operation: str
    side: Side
    why: str
    at: str = ""
    what: str = ""

    def explains(self, client: str, difference: Difference) -> bool:
        return (
            client in self.clients
            and difference.operation == self.operation
            and difference.side == self.side
            and difference.at == self.at
            and (not self.what or difference.what == self.what)
        )


@cache
def deviations() -> tuple[Deviation, ...]:
    """All that are listed in `deviations.yaml`."""
    listed = yaml.safe_load(_LIST.read_text(encoding="utf-8"))
    return tuple(Deviation(**{**one, "clients": tuple(one["clients"])}) for one in listed)


def unexplained(client: str, differences: Iterable[Difference]) -> list[Difference]:
    """Differences from a recorded client that no deviation explains."""
    return [one for one in differences if not any(d.explains(client, one) for d in deviations())]
