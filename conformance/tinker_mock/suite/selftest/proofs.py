"""Sections that prove that checks can fail, and that they cover their rules."""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from tinker_mock.contracts.ledger import requirement_of
from tinker_mock.suite.core.http import Routes
from tinker_mock.suite.core.target import Target
from tinker_mock.suite.core.verdict import Status, Verdict
from tinker_mock.suite.mock_process import mock_server
from tinker_mock.suite.selftest.section import Options, SectionResult, rule
from tinker_mock.suite.selftest.servers import MODEL, OTHER_KEY
from tinker_mock.suite.server.fault_matrix import FaultKill, fault_matrix
from tinker_mock.suite.server.kill_matrix import Kill, MutantSwitch, kill_matrix
from tinker_mock.suite.server.runner import load_scenarios
from tinker_mock.suite.server.wire_checks import wire_check

PROVED_DAILY = 0.16
"""The part of all faults that is planted in a run that was not asked for all of them."""
NamedFault = tuple[str, str, str]


def mutable_checks(everything: bool) -> list[str]:
    """Checks of the server suite that need a mutant: every MUST, or all."""
    rules = requirement_of()
    names = [check for scenario in load_scenarios().values() for check in scenario.checks]
    operations = Routes("tinker").operations.values()
    names += [wire_check(one) for one in operations if wire_check(one) in rules]
    return [name for name in names if everything or rules[name].level == "MUST"]


def broken_at_the_edge() -> tuple[list[str], list[NamedFault]]:
    """The checks that a mock can break, and the faults that it can be given."""
    with mock_server() as url, closing(MutantSwitch(url)) as switch:
        return switch.known()


def mutants(options: Options) -> SectionResult:
    """Each check against a mock that breaks exactly its rule, as far as answers can break it.

    What only behaviour breaks is proved by `faults`.
    """
    edge, planted = broken_at_the_edge()
    rules, aimed = requirement_of(), {rule_id for _, rule_id, _ in planted}
    names = [
        name
        for name in mutable_checks(options.mutants == "all")
        if name in edge or rules[name].id not in aimed
    ]
    halves = [names[0::2], names[1::2]]
    with ThreadPoolExecutor(2) as pool:
        kills = [
            kill
            for half in pool.map(lambda one: half_matrix(options, one), halves)
            for kill in half
        ]
    kills.sort(key=lambda kill: names.index(kill.check))
    killed = sum(kill.killed for kill in kills)
    shared = sum(bool(kill.others) for kill in kills)
    notes = [
        f"kill matrix: {killed} of {len(kills)} checks fail on their mutant",
        f"{len(kills) - shared} only there, {shared} share their cause with other checks",
    ]
    write_matrix(kills, options.report / "kill-matrix.md")
    return SectionResult("mutants", [kill_verdict(kill) for kill in kills], notes)


def half_matrix(options: Options, names: list[str]) -> list[Kill]:
    """The kill matrix of some checks, on a mock of its own."""
    rules = requirement_of()
    with mock_server(options.mock_arguments()) as url:
        target = Target(url, other_key=OTHER_KEY, base_model=MODEL, long_poll=3.0, timeout=8.0)
        return kill_matrix(target, {name: rules[name] for name in names})


def kill_verdict(kill: Kill) -> Verdict:
    """Whether a check was proved able to fail."""
    name = f"self/mutants/{kill.check.replace('/', '.')}"
    verdict = Verdict(name, rule(name, f"{kill.check} fails on its mutant"), Status.PASS)
    verdict.scenario = "kill matrix"
    if not kill.killed or kill.errors:
        verdict.status = Status.FAIL
        verdict.message = "no mutant breaks it" if kill.missing else "it survives its mutant"
        verdict.actual = "; ".join(kill.errors)
    return verdict


def write_matrix(kills: list[Kill], path: Path) -> None:
    """The kill matrix as a Markdown table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["| check | level | killed | others that fail with it |", "|---|---|---|---|"]
    for kill in kills:
        others = ", ".join(f"`{other}`" for other in kill.others) or "none"
        word = "yes" if kill.killed else "**no**"
        lines.append(f"| `{kill.check}` | {kill.level} | {word} | {others} |")
    path.write_text("\n".join(lines) + "\n", "utf-8")


def faults(options: Options) -> SectionResult:
    """Faults planted in the code: each must be noticed by a check of the rule that it is aimed at.

    A seeded part of them, or all where all mutants are asked for.
    """
    _, known = broken_at_the_edge()
    chosen = known
    if options.mutants != "all":
        count = round(len(known) * PROVED_DAILY)
        chosen = sorted(random.Random(options.seed).sample(known, count))
    by_rule = sorted(chosen, key=lambda fault: fault[1])
    middle = len(by_rule) // 2
    with ThreadPoolExecutor(2) as pool:
        halves = pool.map(
            lambda one: planted_in(options, one), (by_rule[:middle], by_rule[middle:])
        )
        kills = [kill for half in halves for kill in half]
    write_fault_matrix(kills, options.report / "fault-matrix.md")
    must = [kill for kill in kills if kill.rule.level == "MUST"]
    killed, most = sum(kill.killed for kill in kills), sum(kill.killed for kill in must)
    notes = [
        f"fault matrix: {killed} of {len(kills)} planted faults are noticed by their rule's checks "
        f"({most} of {len(must)} aimed at a MUST); {len(known)} are known"
    ]
    return SectionResult("faults", [fault_verdict(kill) for kill in kills], notes)


def planted_in(options: Options, chosen: Sequence[NamedFault]) -> list[FaultKill]:
    """The fault matrix of some faults, on a mock of its own."""
    with mock_server(options.mock_arguments()) as url:
        target = Target(url, other_key=OTHER_KEY, base_model=MODEL, long_poll=3.0, timeout=8.0)
        return fault_matrix(target, chosen)


def fault_verdict(kill: FaultKill) -> Verdict:
    """Whether a rule's checks noticed a fault."""
    name = f"self/faults/{kill.name}"
    text = f"{kill.rule.id} notices that {kill.says}"
    verdict = Verdict(name, rule(name, text, kill.rule.level), Status.PASS)
    verdict.scenario = "fault matrix"
    if not kill.killed:
        verdict.status = Status.FAIL if kill.rule.level == "MUST" else Status.WARN
        verdict.message = kill.problem or "it survives the checks of its rule"
        verdict.actual = ", ".join(kill.others)
    return verdict


def write_fault_matrix(kills: Sequence[FaultKill], path: Path) -> None:
    """The fault matrix as a Markdown table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["| what is wrong | rule | level | noticed by |", "|---|---|---|---|"]
    for kill in kills:
        found = ", ".join(f"`{check}`" for check in kill.by)
        found = found if kill.killed else f"**survives** {kill.problem}".strip()
        lines.append(f"| {kill.says} | `{kill.rule.id}` | {kill.rule.level} | {found} |")
    path.write_text("\n".join(lines) + "\n", "utf-8")
