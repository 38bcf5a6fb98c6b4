"""The suite played against one mutant, in this process: call it in a fork."""

import os
import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.mutation.generated import Generated
from tests.mutation.reach import EVERYWHERE, Reach, Tracer, keep, tracing
from tinker_mock.contracts.ledger import requirement_of
from tinker_mock.server.cache_folder import ENVIRONMENT
from tinker_mock.server.mutants.grafting import GraftError, Rewritten
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings
from tinker_mock.suite.core.http import Exchange, Routes
from tinker_mock.suite.core.target import Target
from tinker_mock.suite.core.verdict import Status, Verdict
from tinker_mock.suite.server.kill_matrix import NOT_OK
from tinker_mock.suite.server.runner import load_scenarios, play_scenario
from tinker_mock.suite.server.scenario import Scenario
from tinker_mock.suite.server.stalls import judge_stalls
from tinker_mock.suite.server.wire_checks import judge_wire

BUDGET = 120.0
"""Seconds for one mutant; one that takes longer is noticed: a client would see it hang."""
TRACED = 400.0
"""Seconds for the healthy mock, every call of which is noted."""
MODEL = "Qwen/Qwen3-8B"
SURVIVES = "survives"
PATIENCE = 25.0
"""Seconds for an answer where a busy machine must not be taken for a fault."""
FIRST = "sampling/trained"
"""The first request of a kind builds what later ones find made."""
SLOW = ("models/effects", "kimi/answers", "service/large-bodies", "training/adam-rates")
"""Scenarios that take long and are rarely the only ones to notice something."""


@cache
def in_turn() -> list[Scenario]:
    """All scenarios; those that take or wait for time come last."""
    known = load_scenarios().values()
    return sorted(known, key=lambda one: (one.patient, one.id in SLOW))


@dataclass(frozen=True)
class Play:
    """A mutant, or the healthy mock, and the scenarios that may notice it (None: all of them)."""

    mutant: Generated | None = None
    scenarios: frozenset[str] | None = None
    trace: Path | None = None
    """Where to write which functions each scenario enters."""


def planned(mutant: Generated, reach: Reach) -> Play:
    """The scenarios that enter a function which the mutant changes."""
    changed = Rewritten(mutant.file, mutant.source()[1]).codes()
    found = {one for _, name in changed for one in reach.get(f"{mutant.file}:{name}", ())}
    whole = not reach or EVERYWHERE in found
    return Play(mutant, None if whole else frozenset(found))


def played(play: Play) -> str:
    """The check that notices the mutant, or SURVIVES."""
    try:
        if play.mutant is not None:
            Rewritten(play.mutant.file, play.mutant.source()[1]).put_in()
        with TemporaryDirectory() as folder:
            os.environ[ENVIRONMENT] = folder  # what a mutant makes is nobody else's
            os.chdir(folder)
            return noticed(play)
    except GraftError:
        return "it cannot be put in"
    except Exception as error:
        return f"it does not start: {type(error).__name__}"


def noticed(play: Play) -> str:
    """Serve and judge until a check does not pass, twice: the second time with patience."""
    settings = Settings(port=0, seed=0, long_poll=1.0, secret="mutants")
    with tracing() if play.trace else nullcontext() as tracer, RunningServer(settings) as server:
        target = Target(
            server.url, other_key="tml-other", base_model=MODEL, long_poll=4.0, timeout=8.0,
            deadline=time.monotonic() + (TRACED if play.trace else BUDGET),
        )  # fmt: skip
        patient = replace(target, long_poll=PATIENCE, timeout=PATIENCE)
        asked = patient if play.trace else target
        routes, rules = Routes("tinker", "inference"), requirement_of()
        reach: dict[str, set[str]] = {}
        note(
            reach,
            tracer,
            EVERYWHERE,
            play_scenario(load_scenarios()[FIRST], patient, routes, rules),
        )
        sent: list[Exchange] = []
        verdicts: list[Verdict] = []
        for scenario in in_turn():
            if play.scenarios is not None and scenario.id not in play.scenarios:
                continue
            found, exchanges = play_scenario(scenario, asked, routes, rules)
            note(reach, tracer, scenario.id)
            sent += exchanges
            verdicts += found
            if unwell(found):
                found, _ = play_scenario(scenario, patient, routes, rules)
            if bad := unwell(found):
                return bad
        if tracer is not None and play.trace:
            keep(reach, play.trace)
        broken = [one for one in judge_wire(sent, routes, rules, target) if one.trace]
        broken.append(judge_stalls(sent, verdicts, rules, target))
        return unwell([one for one in broken if one.status is not Status.NOT_TESTABLE]) or SURVIVES


def note(reach: dict[str, set[str]], tracer: Tracer | None, where: str, _: object = None) -> None:
    """What was entered just now was entered there."""
    for name in tracer.taken() if tracer else ():
        reach.setdefault(name, set()).add(where)


def unwell(verdicts: list[Verdict]) -> str:
    """The first check that did not pass."""
    bad = [one.check for one in verdicts if one.status in NOT_OK]
    return next(iter(bad), "")


def warm() -> None:
    """Import everything that a play needs, so that forks find it there. Starts no thread."""
    from tinker_mock.server import app

    assert app
    in_turn()
    requirement_of()
    Routes("tinker", "inference")
