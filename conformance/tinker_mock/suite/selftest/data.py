"""Sections that replay recorded data: parity vectors and cassettes."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tinker_mock.contracts.locations import FIXTURES
from tinker_mock.suite.cassettes.cassette import Cassette, cassette_paths, read_cassette
from tinker_mock.suite.cassettes.recorder import SEED
from tinker_mock.suite.cassettes.replay_client import has_preset, replay_problems
from tinker_mock.suite.cassettes.replay_server import replay_to_server
from tinker_mock.suite.cassettes.stories import flags, play
from tinker_mock.suite.core.verdict import Verdict
from tinker_mock.suite.mock_process import NO_TOKENIZERS, mock_server
from tinker_mock.suite.selftest.section import Options, SectionResult, judged
from tinker_mock.suite.vectors.runner import load_vectors, run_vectors

VECTORS = FIXTURES / "vectors"
CASSETTES = FIXTURES / "cassettes"


def vectors(options: Options) -> SectionResult:
    """Every vector file of the repository, one verdict a component."""
    result = SectionResult("vectors")
    for path in sorted(VECTORS.glob("*.json")):
        entries = load_vectors(path)
        report = run_vectors(entries)
        counts = Counter(str(entry["component"]) for entry in entries)
        wrong: dict[str, list[str]] = {}
        for row in report.failed:
            wrong.setdefault(row["component"], []).append(f"{row['name']}: {row['reason']}")
        for row in report.unfit:
            problem = f"{row['name']} does not fit: {row['pointer']}: {row['message']}"
            wrong.setdefault(row["component"], []).append(problem)
        for component, count in counts.items():
            name = f"self/vectors/{path.stem}.{component}"
            text = f"{count} vectors of {component} hold."
            problems = wrong.get(component, [])
            problem = f"{len(problems)} of {count} differ" if problems else ""
            result.verdicts.append(judged(name, text, problem, "; ".join(problems[:5])))
    return result


def cassettes(options: Options) -> SectionResult:
    """Every cassette in both directions."""
    result = SectionResult("cassettes")
    found = [(path, read_cassette(path)) for path in cassette_paths(CASSETTES)]
    for wanted in sorted({flags(one.program) for _, one in found}):
        told = [(path, one) for path, one in found if flags(one.program) == wanted]
        with mock_server(["--seed", str(SEED), *wanted], environment=NO_TOKENIZERS) as url:
            for path, cassette in told:
                result.verdicts += _both_ways(path, cassette, url)
    return result


def _both_ways(path: Path, cassette: Cassette, url: str) -> Iterator[Verdict]:
    name = f"{path.parent.name}.{path.name.partition('.')[0]}"
    if has_preset(cassette):
        differing = replay_problems(cassette)
        text = "The reference client sends the recorded requests and has the recorded values."
        yield judged(f"self/cassettes/client/{name}", text, "; ".join(differing[:3]))
    play(url, cassette.program)
    found = replay_to_server(cassette, url, api_key="tml-cassette", values=False)
    problem = "; ".join(str(one) for one in found[:3])
    text = "The mock answers the recorded requests in the recorded form."
    yield judged(f"self/cassettes/server/{name}", text, problem)
