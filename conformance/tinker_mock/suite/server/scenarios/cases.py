"""Cases from YAML: requests that must be refused. Data, so that other languages can run them."""

import copy
from collections.abc import Callable, Mapping
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


def changed(body: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A copy with values set or removed at JSON pointers."""
    fresh: dict[str, Any] = copy.deepcopy(dict(body))
    for pointer, change in changes.items():
        if isinstance(change, dict) and change.get("remove"):
            remove(fresh, pointer)
        else:
            put(fresh, pointer, change["value"] if isinstance(change, dict) else change)
    return fresh


def play(document: Mapping[str, Any], stage: Stage) -> None:
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
            document = yaml.safe_load(file.read_text("utf-8"))
            name = f"cases/{file.name.removesuffix('.yaml')}"
            add(Scenario(name, tuple(document["cases"]), partial(play, document)))


register()
