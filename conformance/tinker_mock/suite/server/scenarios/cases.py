"""Cases from YAML: requests that must be refused. Data, so that other languages can run them."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib.resources import files
from typing import Any

import yaml

from tinker_mock.contracts.pointer import put, remove
from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.verdict import expect
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.scenario import Scenario

RETRIED = (402, 408, 409, 410, 429)
Body = Callable[[ScenarioContext], dict[str, Any]]
Document = dict[str, Any]
JSON_ONLY = ("forward_backward",)


def create_model(context: ScenarioContext) -> dict[str, Any]:
    """A create_model request in a new session."""
    lora = {"rank": 8, "seed": 1}
    return {
        "session_id": context.session(), "model_seq_id": 0, "base_model": context.named_model(),
        "lora_config": lora, "type": "create_model",
    }  # fmt: skip


BODIES: dict[str, Body] = {
    "sample": lambda context: bodies.sample(context.sampler()),
    "train": lambda context: bodies.train(context.model(), 1),
    "create_model": create_model,
}


class CaseError(ValueError):
    """A file of cases that breaks its form."""


def read_cases(text: str, source: str) -> Document:
    """The document of a file; raises CaseError naming the key that is missing or not known."""
    document: Document = yaml.safe_load(text)
    _only(document, ("operation", "body", "cases"), source)
    if document["body"] not in BODIES:
        raise CaseError(f"{source}: no body {document['body']!r}; there are {', '.join(BODIES)}")
    for check, case in document["cases"].items():
        _only(case, ("change", "names"), f"{source}: {check}")
        for change in case["change"].values():
            if isinstance(change, dict) and not _is_change(change):
                raise CaseError(f"{source}: {check}: unknown key; known: remove, value; pick one")
    return document


def _only(value: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for key in value.keys() ^ set(known):
        fault = "unknown" if key in value else "missing"
        raise CaseError(f"{where}: {fault} key {key!r}; known: {', '.join(known)}")


def _is_change(value: Mapping[str, Any]) -> bool:
    return value.keys() == {"value"} or value == {"remove": True}


def changed(body: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A copy with values set or removed at JSON pointers."""
    fresh: dict[str, Any] = copy.deepcopy(dict(body))
    for pointer, change in changes.items():
        if isinstance(change, dict) and "remove" in change:
            remove(fresh, pointer)
        else:
            put(fresh, pointer, change["value"] if isinstance(change, dict) else change)
    return fresh


def play(document: Document, context: ScenarioContext) -> None:
    """Send each case's request and see it refused."""
    operation = document["operation"]
    if context.target.speaks_protobuf and operation in JSON_ONLY:
        return
    body = BODIES[document["body"]](context)
    for number, (check, case) in enumerate(document["cases"].items(), 1):
        if "seq_id" in body:
            body["seq_id"] = number
        with context.check(check):
            wrong = changed(body, case["change"])
            outcome = context.submit(operation, wrong, wrong=True).outcome()
            status = outcome.reply.status
            expect(outcome.failed, "the request is refused", "an error", outcome.value)
            final = status < 500 and status not in RETRIED
            expect(final, "the refusal is final", "4xx, or 200 with error", status)
            expect(case["names"] in outcome.error, "it is named", case["names"], outcome.error)


def read_scenarios() -> Iterator[Scenario]:
    """A scenario for each file."""
    folder = files("tinker_mock.suite.server") / "cases"
    for file in sorted(folder.iterdir(), key=lambda one: one.name):
        if file.name.endswith(".yaml"):
            document = read_cases(file.read_text("utf-8"), file.name)
            name = f"cases/{file.name.removesuffix('.yaml')}"
            yield Scenario(name, tuple(document["cases"]), partial(play, document))


SCENARIOS = tuple(read_scenarios())
