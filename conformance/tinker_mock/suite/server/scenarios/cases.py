"""Cases from YAML: requests that must be refused. Data, so that other languages can run them."""

import copy
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.resources import files
from typing import Any

import yaml

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.verdict import expect
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.scenario import Scenario

RETRIED = (402, 408, 409, 410, 429)
Body = Callable[[ScenarioContext], dict[str, Any]]
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


def changed(body: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A copy with values set or removed at JSON pointers."""
    fresh: dict[str, Any] = copy.deepcopy(dict(body))
    for pointer, change in changes.items():
        *path, last = pointer.strip("/").split("/")
        holder: Any = fresh
        for part in path:
            holder = holder[int(part)] if isinstance(holder, list) else holder[part]
        if isinstance(change, dict) and change.get("remove"):
            del holder[last]
            continue
        value = change["value"] if isinstance(change, dict) else change
        holder[int(last) if isinstance(holder, list) else last] = value
    return fresh


def play(document: Mapping[str, Any], context: ScenarioContext) -> None:
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
            document = yaml.safe_load(file.read_text("utf-8"))
            name = f"cases/{file.name.removesuffix('.yaml')}"
            yield Scenario(name, tuple(document["cases"]), partial(play, document))


SCENARIOS = tuple(read_scenarios())
