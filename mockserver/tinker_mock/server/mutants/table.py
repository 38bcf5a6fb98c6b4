"""The mutants on file, and the one that is active."""

from functools import cache
from importlib.resources import files

from tinker_mock.server.mutants.fault import load_faults
from tinker_mock.server.mutants.grafting import Edit, Graft, GraftError
from tinker_mock.server.mutants.mutant import Mutant, MutantError
from tinker_mock.server.wire.exchange import Answer, Exchange


@cache
def load_mutants() -> dict[str, Mutant]:
    """Every mutant by the check that it breaks; raises MutantError."""
    import yaml

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
    """What is broken on purpose: one rule at the edge, or one place in the code."""

    def __init__(self, name: str | None = None) -> None:
        self.active: Mutant | None = None
        self.name: str | None = None
        self._graft: Graft | None = None
        if name:
            self.break_check(name)

    def break_check(self, name: str | None) -> None:
        """Break this check, or plant this fault, from now on; None heals.

        Raises MutantError for a name that is neither, or a fault that does not fit the code.
        """
        self.heal()
        if name is None:
            return
        if name in load_faults():
            self.plant(*load_faults()[name].edits)
            self.name = name
            return
        known = load_mutants()
        if name not in known:
            count = f"there are {len(known)} checks and {len(load_faults())} faults"
            raise MutantError(f"no mutant breaks {name!r}, and no fault is called so; {count}")
        self.active = known[name]
        self.active.count = 0
        self.name = name

    def plant(self, *edits: Edit) -> None:
        """Change the code of the running server; raises MutantError."""
        self.heal()
        graft = Graft(edits)
        try:
            graft.put_in()
        except GraftError as error:
            raise MutantError(str(error)) from error
        self._graft = graft

    def heal(self) -> None:
        """Nothing is broken any more."""
        self.active = self.name = None
        if self._graft is not None:
            self._graft.take_out()
            self._graft = None

    @property
    def planted(self) -> bool:
        """Whether the code itself is changed."""
        return self._graft is not None

    def prepare(self, exchange: Exchange) -> None:
        """Change the request if the active mutant says so."""
        if self.active is not None:
            self.active.prepare(exchange)

    def rewrite(self, exchange: Exchange, answer: Answer) -> Answer:
        """The answer, broken if the active mutant touches it."""
        return answer if self.active is None else self.active.rewrite(exchange, answer)
