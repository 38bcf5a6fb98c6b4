"""Sections that replay recorded data: parity vectors and cassettes."""

from collections import Counter

from tinker_mock.contracts.locations import FIXTURES
from tinker_mock.suite.cassettes.cassette import read_cassette
from tinker_mock.suite.cassettes.comparing import unequal
from tinker_mock.suite.cassettes.replay_client import replay_to_client
from tinker_mock.suite.cassettes.replay_server import replay_to_server
from tinker_mock.suite.mock_process import mock_server
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
    with mock_server() as url:
        for path in sorted(CASSETTES.rglob("*.yaml")):
            cassette = read_cassette(path)
            name = f"{path.parent.name}.{path.stem}"
            differing = unequal(cassette.values, replay_to_client(cassette))
            text = "The reference client replays the cassette to the recorded values."
            verdict = judged(f"self/cassettes/client/{name}", text, "; ".join(differing[:3]))
            result.verdicts.append(verdict)
            found = replay_to_server(cassette, url, api_key="tml-cassette", values=False)
            problem = "; ".join(str(one) for one in found[:3])
            text = "The mock answers the recorded requests in the recorded form."
            result.verdicts.append(judged(f"self/cassettes/server/{name}", text, problem))
    return result
