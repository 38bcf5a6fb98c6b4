"""JSON Schemas of the YAML that people write: they fit what ships, and know what readers know."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema_rs import Draft202012Validator

from tinker_mock.contracts import load_contract
from tinker_mock.contracts.facts import read_facts
from tinker_mock.contracts.fidelity import STRENGTHS, read_differences, read_quirks
from tinker_mock.contracts.locations import CONTRACTS
from tinker_mock.contracts.pointer import look_up
from tinker_mock.server.effects import GRAMMAR, MAPPING_KEYS
from tinker_mock.server.faults.rules import SCOPES
from tinker_mock.server.mutants import Mutant
from tinker_mock.server.queues.latency import profile_names
from tinker_mock.server.queues.rules import MODES
from tinker_mock.server.scenarios.scenario import read_scenario
from tinker_mock.server.scripts.reader import parse_scripts
from tinker_mock.suite.core.baseline import read_baseline
from tinker_mock.suite.server.scenarios.cases import BODIES, read_cases

ROOT = CONTRACTS.parent
SCHEMAS = {
    path.name.removesuffix(".schema.json"): json.loads(path.read_text("utf-8"))
    for path in sorted((CONTRACTS / "schemas").glob("*.schema.json"))
}
FOLDERS = {
    "scenario": ["mockserver/tinker_mock/server/scenarios"],
    "mutant": ["mockserver/tinker_mock/server/mutants/broken"],
    "case": ["conformance/tinker_mock/suite/server/cases"],
    "baseline": ["conformance/baselines", "tests/fauxmplementations"],
    "quirk": ["contracts/fidelity/quirks.yaml"],
    "difference": ["contracts/fidelity/differences.yaml"],
    "fact": ["contracts/fidelity/facts.yaml"],
    "script": ["mockserver/tinker_mock/server/scripts/examples"],
}


def yaml_files(place: Path) -> list[Path]:
    """The files of a folder, or the one file."""
    return sorted(place.glob("*.yaml")) if place.is_dir() else [place]


SHIPPED = [
    pytest.param(kind, path, id=f"{kind}-{path.stem}")
    for kind, folders in FOLDERS.items()
    for folder in folders
    for path in yaml_files(ROOT / folder)
]


def test_every_format_has_files_and_a_schema() -> None:
    assert set(SCHEMAS) == set(FOLDERS) == {param.values[0] for param in SHIPPED}


@pytest.mark.parametrize(("kind", "path"), SHIPPED)
def test_what_ships_fits_its_schema_and_names_it(kind: str, path: Path) -> None:
    text = path.read_text("utf-8")
    document = json.loads(json.dumps(yaml.safe_load(text), default=str))  # dates are text there
    errors = Draft202012Validator(SCHEMAS[kind]).iter_errors(document)
    assert [f"{error.instance_path}: {error.message}" for error in errors] == []
    named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)
    assert named, "the first line names the schema for editors"
    assert (path.parent / named[1]).resolve() == CONTRACTS / "schemas" / f"{kind}.schema.json"


# --- what the readers know --------------------------------------------------------------------


def read_mutants(text: str) -> None:
    for check, row in yaml.safe_load(text).items():
        Mutant.parse(check, row)


def read(kind: str, text: str, directory: Path) -> None:
    """What the reader of that format raises, if anything."""
    (directory / "t.yaml").write_text(text)
    readers: dict[str, Callable[[], object]] = {
        "scenario": lambda: read_scenario(text, "t.yaml", load_contract("tinker").operations),
        "mutant": lambda: read_mutants(text),
        "case": lambda: read_cases(text, "t.yaml"),
        "baseline": lambda: read_baseline(directory / "t.yaml"),
        "quirk": lambda: read_quirks(text),
        "difference": lambda: read_differences(text),
        "fact": lambda: read_facts(text),
        "script": lambda: parse_scripts(text, "t.yaml"),
    }
    readers[kind]()


SCRIPT = {"pattern": "x", "completion": "y"}


def case(**change: Any) -> dict[str, Any]:
    spoilt = {"a/b/c": {"change": {"/prompt": change}, "names": "prompt"}}
    return {"operation": "asample", "body": "sample", "cases": spoilt}


def quirk(**change: Any) -> dict[str, Any]:
    said = {"sentence": "s", "default": "d", "reason": "r", "decided": "2026-11-28"}
    return {"q": {**said, "for_default": [WITNESS], "for_quirk": [WITNESS], **change}}


def difference(**change: Any) -> dict[str, Any]:
    said = {"service": "s", "mock": "m", "reason": "r", "decided": "2026-11-28"}
    return {"d": {**said, "witnesses": [WITNESS], **change}}


def fact() -> dict[str, Any]:
    said = {"fact": "f", "witnesses": [WITNESS], "settled": "agrees"}
    return {"s": {"1": {**said, "proof": ["tests/x.py::test_y"]}}}


WITNESS = {"strength": "sdk", "source": "s", "date": "2026-11-28"}
RULE = {"effects": "drop"}
LIMIT = {"requests": 1, "per": "1s"}
GOOD: dict[str, tuple[str, dict[str, Any], str]] = {
    "scenario": ("scenario", {}, ""),
    "scenario/$defs/queue": ("scenario", {"queue": {}}, "/queue"),
    "scenario/$defs/completion": (
        "scenario",
        {"queue": {"completion": [{}]}},
        "/queue/completion/0",
    ),
    "scenario/$defs/capacity": (
        "scenario",
        {"queue": {"capacity": [{"workers": 1}]}},
        "/queue/capacity/0",
    ),
    "scenario/$defs/rate_limit": (
        "scenario",
        {"queue": {"rate_limits": [LIMIT]}},
        "/queue/rate_limits/0",
    ),
    "scenario/$defs/billing_pause": (
        "scenario",
        {"queue": {"billing_pause": {"for": "1s"}}},
        "/queue/billing_pause",
    ),
    "scenario/$defs/rule": ("scenario", {"rules": [RULE]}, "/rules/0"),
    "scenario/$defs/match": ("scenario", {"rules": [{**RULE, "match": {}}]}, "/rules/0/match"),
    "scenario/$defs/answer": (
        "scenario",
        {"rules": [{"effects": [{"return": 503}]}]},
        "/rules/0/effects/0",
    ),
    "mutant/$defs/mutant": ("mutant", {"a/b/c": {"do": [{"status": 1}]}}, "/a~1b~1c"),
    "mutant/$defs/when": (
        "mutant",
        {"a/b/c": {"when": {}, "do": [{"status": 500}]}},
        "/a~1b~1c/when",
    ),
    "mutant/$defs/step": ("mutant", {"a/b/c": {"do": [{"status": 500}]}}, "/a~1b~1c/do/0"),
    "mutant/$defs/nth": ("mutant", {"a/b/c": {"do": [{"nth": {}}]}}, "/a~1b~1c/do/0/nth"),
    "case": ("case", case(value={}), ""),
    "case/$defs/case": ("case", case(value={}), "/cases/a~1b~1c"),
    "case/$defs/change": ("case", case(remove=True), "/cases/a~1b~1c/change/~1prompt"),
    "baseline": ("baseline", {}, ""),
    "quirk/$defs/quirk": ("quirk", quirk(), "/q"),
    "quirk/$defs/witness": ("quirk", quirk(), "/q/for_quirk/0"),
    "difference/$defs/difference": ("difference", difference(), "/d"),
    "difference/$defs/witness": ("difference", difference(), "/d/witnesses/0"),
    "fact/$defs/fact": ("fact", fact(), "/s/1"),
    "fact/$defs/witness": ("fact", fact(), "/s/1/witnesses/0"),
    "script": ("script", {"scripts": [SCRIPT]}, ""),
    "script/$defs/script": ("script", {"scripts": [SCRIPT]}, "/scripts/0"),
    "script/$defs/answer": (
        "script",
        {"scripts": [{"pattern": "x", "answers": [{"completion": "y"}]}]},
        "/scripts/0/answers/0",
    ),
    "script/$defs/tool_call": (
        "script",
        {"scripts": [{"pattern": "x", "tool_calls": [{"name": "f"}]}]},
        "/scripts/0/tool_calls/0",
    ),
}
"""Every closed object of the schemas: a document that holds one, and where in it."""


def closed(kind: str, node: Any, path: str = "") -> Iterator[str]:
    if isinstance(node, dict):
        if node.get("additionalProperties") is False:
            yield f"{kind}{path}"
        for key, inner in node.items():
            yield from closed(kind, inner, f"{path}/{key}")


def test_every_closed_object_is_tried() -> None:
    assert set(GOOD) == {place for kind in SCHEMAS for place in closed(kind, SCHEMAS[kind])}


@pytest.mark.parametrize("place", GOOD)
def test_an_unknown_key_is_refused_by_both_and_they_know_the_same(
    place: str, tmp_path: Path
) -> None:
    kind, document, where = GOOD[place]
    validator = Draft202012Validator(SCHEMAS[kind])
    assert validator.is_valid(document)
    read(kind, yaml.safe_dump(document), tmp_path)

    spoilt = json.loads(json.dumps(document))
    look_up(spoilt, where)["colour"] = "red"
    assert not validator.is_valid(spoilt)
    with pytest.raises(ValueError, match=r"colour|known") as refusal:
        read(kind, yaml.safe_dump(spoilt), tmp_path)

    schema = look_up(SCHEMAS[kind], place.removeprefix(kind))
    told = re.search(r"known: ([\w, ]+)", str(refusal.value))
    known = told[1].split(", ") if told else list(MAPPING_KEYS)
    assert sorted(schema["properties"]) == sorted(known)


def test_values_are_those_of_the_readers() -> None:
    scenario = SCHEMAS["scenario"]["$defs"]
    enums = [
        (scenario["completion"]["properties"]["latency"], profile_names()),
        (scenario["rate_limit"]["properties"]["mode"], MODES),
        (scenario["match"]["properties"]["scope"], SCOPES),
        (SCHEMAS["case"]["properties"]["body"], BODIES),
        (SCHEMAS["quirk"]["$defs"]["witness"]["properties"]["strength"], STRENGTHS),
        (SCHEMAS["difference"]["$defs"]["witness"]["properties"]["strength"], STRENGTHS),
        (SCHEMAS["fact"]["$defs"]["witness"]["properties"]["strength"], STRENGTHS),
    ]
    for schema, known in enums:
        assert sorted(schema["enum"]) == sorted(known)


def test_the_words_are_those_of_the_grammar() -> None:
    words = "|".join(re.sub(r"\(\?P<\w+>", "(?:", form.pattern) for form in GRAMMAR)
    pattern = rf"^(?:{words})(?:\+(?:{words}))*(?:-x[1-9]\d{{0,5}})?$"
    assert SCHEMAS["scenario"]["$defs"]["word"]["pattern"] == pattern


@pytest.mark.parametrize(
    ("word", "good"),
    [
        ("lose-reset", True),
        ("stall-2s+return-503", True),
        ("try-again-capacity-x3", True),
        ("return-503+", False),
        ("stall-2", False),
        ("explode", False),
    ],
)
def test_a_word_is_judged(word: str, good: bool) -> None:
    document = {"rules": [{"effects": ["pass", word]}]}
    assert Draft202012Validator(SCHEMAS["scenario"]).is_valid(document) is good
