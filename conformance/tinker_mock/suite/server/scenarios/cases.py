"""Cases from YAML: requests that must be refused. Data, so that other languages can run them."""

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.resources import files
from typing import Any

import yaml

from tinker_mock.contracts.pointer import put, remove
from tinker_mock.suite.core import bodies
from tinker_mock.suite.core.context import Stage
from tinker_mock.suite.core.scenario import Scenario, add
from tinker_mock.suite.core.verdict import expect

RETRIED = (402, 408, 409, 410, 429)
Body = Callable[[Stage], dict[str, Any]]
Document = dict[str, Any]
JSON_ONLY = ("forward_backward",)


def create_model(stage: Stage) -> dict[str, Any]:
    """A create_model request in a new session."""
    lora = {"rank": 8, "seed": 1}
    return {
        "session_id": stage.session(), "model_seq_id": 0, "base_model": stage.named_model(),
        "lora_config": lora, "type": "create_model",
    }  # fmt: skip


BODIES: dict[str, Body] = {
    "sample": lambda stage: bodies.sample(stage.sampler()),
    "train": lambda stage: bodies.train(stage.model(), 1),
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


def play(document: Document, stage: Stage) -> None:
    """Send each case's request and see it refused."""
    operation = document["operation"]
    if stage.target.speaks_protobuf and operation in JSON_ONLY:
        return
    body = BODIES[document["body"]](stage)
    for number, (check, case) in enumerate(document["cases"].items(), 1):
        if "seq_id" in body:
            body["seq_id"] = number
        with stage.check(check):
            wrong = changed(body, case["change"])
            outcome = stage.submit(operation, wrong, wrong=True).outcome()
            status = outcome.reply.status
            expect(outcome.failed, "the request is refused", "an error", outcome.value)
            final = status < 500 and status not in RETRIED
            expect(final, "the refusal is final", "4xx, or 200 with error", status)
            expect(case["names"] in outcome.error, "it is named", case["names"], outcome.error)


def register() -> None:
    """Enter a scenario for each file."""
    folder = files("tinker_mock.suite.server") / "cases"
    for file in sorted(folder.iterdir(), key=lambda one: one.name):
        if file.name.endswith(".yaml"):
            document = read_cases(file.read_text("utf-8"), file.name)
            name = f"cases/{file.name.removesuffix('.yaml')}"
            add(Scenario(name, tuple(document["cases"]), partial(play, document)))


register()
