"""Sections that judge the mock as a server."""

import subprocess
import sys
from tempfile import TemporaryDirectory

from tinker_mock.contracts.locations import CONTRACTS
from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.http import Routes
from tinker_mock.suite.core.results import coverage_of
from tinker_mock.suite.core.target import Target
from tinker_mock.suite.mock_process import mock_server
from tinker_mock.suite.postgres import NoPostgres, postgres
from tinker_mock.suite.selftest.section import Options, SectionResult, judged
from tinker_mock.suite.server.runner import run_server_suite

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
    failing = [verdict.check for verdict in run.verdicts if verdict.bad]
    problem = f"fails: {', '.join(failing)}" if failing else ""
    text = "With a data directory the server chapter passes as it does in memory."
    found = judged("self/lasting/server", text, problem, f"{len(run.verdicts)} checks")
    return SectionResult("lasting", [found])


def shared(options: Options) -> SectionResult:
    """And on two servers that share a PostgreSQL: clients meet now the owner, now the other."""
    try:
        with (
            postgres() as database,
            mock_server(
                options.mock_arguments("--store", database.address, "--workers", "2")
            ) as url,
        ):
            run = run_server_suite(
                Target(url, other_key=OTHER_KEY, base_model=MODEL, seed=options.seed)
            )
    except NoPostgres as error:
        return SectionResult("shared", notes=[f"not played: {error}"])
    failing = [verdict.check for verdict in run.verdicts if verdict.bad]
    problem = f"fails: {', '.join(failing)}" if failing else ""
    text = "Two servers that share a store pass the server chapter as one in memory does."
    found = judged("self/shared/server", text, problem, f"{len(run.verdicts)} checks")
    return SectionResult("shared", [found])


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
