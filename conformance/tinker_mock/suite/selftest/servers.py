"""Sections that judge the mock as a server."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from tinker_mock.contracts.ledger import requirement_of
from tinker_mock.contracts.locations import CONTRACTS
from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.http import Routes
from tinker_mock.suite.core.results import coverage_of
from tinker_mock.suite.core.target import Target
from tinker_mock.suite.core.verdict import Status, Verdict
from tinker_mock.suite.mock_process import mock_server
from tinker_mock.suite.selftest.section import Options, SectionResult, judged, rule
from tinker_mock.suite.server.kill_matrix import Kill, kill_matrix
from tinker_mock.suite.server.runner import load_scenarios, run_server_suite
from tinker_mock.suite.server.wire_checks import wire_check

OTHER_KEY = "tml-somebody-else"
MODEL = "Qwen/Qwen3-8B"
CONTRACT = CONTRACTS / "tinker" / "openapi.json"
FUZZED = "not_a_server_error,response_schema_conformance,content_type_conformance"
FUZZ_TIMEOUT = 75.0


def server(options: Options) -> SectionResult:
    """The whole server suite."""
    with mock_server(options.mock_arguments()) as url:
        run = run_server_suite(
            Target(url, other_key=OTHER_KEY, base_model=MODEL, seed=options.seed)
        )
    notes = [f"the suite itself sent: {text}" for text in run.blame_suite]
    return SectionResult("server", run.verdicts, notes, coverage_of(run))


def lasting(options: Options) -> SectionResult:
    """The server suite again, on a mock whose state lasts: it must not make a difference."""
    with (
        TemporaryDirectory() as folder,
        mock_server(options.mock_arguments("--data-dir", f"{folder}/data")) as url,
    ):
        run = run_server_suite(
            Target(url, other_key=OTHER_KEY, base_model=MODEL, seed=options.seed)
        )
    failing = [verdict.check for verdict in run.verdicts if verdict.status.bad]
    problem = f"fails: {', '.join(failing)}" if failing else ""
    text = "With a data directory the server chapter passes as it does in memory."
    found = judged("self/lasting/server", text, problem, f"{len(run.verdicts)} checks")
    return SectionResult("lasting", [found])


def mutable_checks(everything: bool) -> list[str]:
    """Checks of the server suite that need a mutant: every MUST, or all."""
    rules = requirement_of()
    names = [check for scenario in load_scenarios().values() for check in scenario.checks]
    operations = Routes("tinker").operations.values()
    names += [wire_check(one) for one in operations if wire_check(one) in rules]
    return [name for name in names if everything or rules[name].level == "MUST"]


def mutants(options: Options) -> SectionResult:
    """Each check against a mock that breaks exactly its rule."""
    names = mutable_checks(options.mutants == "all")
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


def behaviour(options: Options) -> SectionResult:
    """Learning curves of the engine, over the wire."""
    from tinker_mock.suite.server.behaviour import LEARNING_RUNS

    result = SectionResult("behaviour")
    with mock_server(options.mock_arguments()) as url:
        for name, train in LEARNING_RUNS.items():
            context = ScenarioContext(Target(url, base_model=MODEL), Routes("tinker"), {}, name)
            try:
                run = train(context)
            finally:
                context.finish()
            problem = "" if run.kept else f"expected {run.expected}"
            result.verdicts.append(judged(f"self/{name}", run.promise, problem, run.actual))
            result.curves |= {f"{run.title}: {k}": v for k, v in run.curves.items()}
    return result


def fuzz(options: Options) -> SectionResult:
    """schemathesis over the contract, bounded."""
    with mock_server(["--seed", str(options.seed), "--long-poll", "0.1"]) as url:
        command = [
            sys.executable, "-m", "schemathesis.cli", "run", str(CONTRACT), "--url", url,
            "-H", "X-API-Key: tml-fuzz", "--phases", "examples,fuzzing", "-n", "2",
            "--seed", str(options.seed), "--generation-deterministic", "-c", FUZZED, "--no-color",
            "--request-timeout", "120",
        ]  # fmt: skip
        found = subprocess.run(
            command, capture_output=True, text=True, timeout=FUZZ_TIMEOUT, check=False
        )
    tail = " ".join(found.stdout.split())[-600:]
    problem = "" if found.returncode == 0 else "schemathesis found answers outside the contract"
    text = "Generated requests never get a 5xx or an answer outside the contract."
    return SectionResult("fuzz", [judged("self/fuzz/contract", text, problem, tail)])
