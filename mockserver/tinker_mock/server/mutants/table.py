"""The mutants on file, and the one that is active."""

from functools import cache
from importlib.resources import files

import yaml

from tinker_mock.server.mutants.mutant import Mutant, MutantError
from tinker_mock.server.wire.exchange import Answer, Exchange


@cache
def load_mutants() -> dict[str, Mutant]:
    """Every mutant by the check that it breaks; raises MutantError."""
    mutants: dict[str, Mutant] = {}
    folder = files("tinker_mock.server.mutants") / "broken"
    for file in sorted(folder.iterdir(), key=lambda one: one.name):
        if file.name.endswith(".yaml"):
            for check, row in (yaml.safe_load(file.read_text("utf-8")) or {}).items():
                if check in mutants:
                    raise MutantError(f"mutant {check}: given twice")
                mutants[check] = Mutant.parse(check, row)
    return mutants


class ActiveMutants:
    """The rule that is broken on purpose: at most one at a time."""

    def __init__(self, check: str | None = None) -> None:
        self.active: Mutant | None = None
        if check:
            self.break_check(check)

    def break_check(self, check: str | None) -> None:
        """Break this check from now on, or none; raises MutantError for an unknown one."""
        if check is None:
            self.active = None
            return
        known = load_mutants()
        if check not in known:
            raise MutantError(f"no mutant breaks {check!r}; there are {len(known)}")
        self.active = known[check]
        self.active.count = 0

    def prepare(self, exchange: Exchange) -> None:
        """Change the request if the active mutant says so."""
        if self.active is not None:
            self.active.prepare(exchange)

    def rewrite(self, exchange: Exchange, answer: Answer) -> Answer:
        """The answer, broken if the active mutant touches it."""
        return answer if self.active is None else self.active.rewrite(exchange, answer)
