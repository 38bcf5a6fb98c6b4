"""YAML from a request is measured before anything recursive looks at it."""

import time
from itertools import pairwise

import httpx
import pytest

from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.yaml_section import ScenarioError, read_section

LETTERS = "abcdefghij"


def laughing(inner: str, form: str) -> str:
    """Each line is nine times the one before."""
    lines = [f"a: &a {inner}"]
    for before, name in pairwise(LETTERS):
        aliases = ",".join([f"*{before}"] * 9)
        lines.append(f"{name}: &{name} " + form.replace("ALIASES", aliases))
    return "\n".join(lines)


HOSTILE = {
    "aliases": laughing("[x,x,x,x,x,x,x,x,x]", "[ALIASES]"),
    "merges": laughing("{k: 1}", "{<<: [ALIASES]}"),
    "itself": "a: &a [*a]",
    "brackets": "[" * 5000,
    "braces": "{" * 5000,
    "dashes": "- " * 3000,
    "questions": "? " * 5000,
    "length": "a: " + "x" * 200_000,
    "month": "a: 2001-99-99",
    "digits": "a: " + "9" * 5000,
    "width": "a: [" + "1," * 10_000 + "1]",
    "tag": "a: !!python/object/apply:os.system ['true']",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_refused_soon_and_by_line(name: str) -> None:
    begun = time.process_time()
    with pytest.raises(ScenarioError) as refusal:
        read_section(HOSTILE[name], "scenario.yaml")
    assert time.process_time() - begun < 5
    assert str(refusal.value).startswith("scenario.yaml:")


def test_a_request_with_it_is_a_422(tinker_mock: RunningServer) -> None:
    for text in HOSTILE.values():
        answer = httpx.put(f"{tinker_mock.url}/_mock/scenario", json={"yaml": text}, timeout=60)
        assert answer.status_code == 422, answer.text


def test_aliases_in_moderation_are_fine() -> None:
    text = "queue: &q {x: 1}\nother: *q\n"
    assert read_section(text, "scenario.yaml").value == {"queue": {"x": 1}, "other": {"x": 1}}
