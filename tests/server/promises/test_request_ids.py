"""Every promise has an id of its own, however it was made."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.server.conftest import BASE, Api, sample, training_step, update
from tinker_mock.contracts import load_contract
from tinker_mock.server.serving.in_thread import RunningServer

TOTAL = [{"ref": "s"}, {"dict": {}}]
LOSS = {
    "name": "total",
    "inputs": [{"name": "logprobs", "rank": 1}],
    "graph": {
        "nodes": [
            {"name": "l", "op": "placeholder", "target": "logprobs"},
            {"name": "s", "op": "call_method", "target": "sum", "args": [{"ref": "l"}]},
            {
                "name": "o",
                "op": "output",
                "target": "output",
                "args": [TOTAL],
            },
        ]
    },
}


class Client:
    """One session that makes promises in every way there is."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.asked: set[str] = set()
        self.session = api.session()
        self.models, self.samples, self.losses, self.seq = 0, 0, 0, 0
        self.model = api.model(self.session, self._next_model())
        self.sampler = api.sampler(self.session)
        body = {"model_id": self.model, "seq_id": self._next(), "path": "first"}
        self.path = api.done("save_weights", body)["path"]

    def _submit(self, operation: str, body: dict[str, Any]) -> str:
        self.asked.add(operation)
        return self.api.submit(operation, body)

    def _next(self) -> int:
        self.seq += 1
        return self.seq

    def _next_model(self) -> int:
        self.models += 1
        return self.models

    def _sample(self, seq_id: int | None) -> str:
        body = sample(self.sampler, 0, sampling_params={"max_tokens": 1})
        body["seq_id"] = seq_id
        return self._submit("asample", body)

    def create_model(self) -> str:
        body = {"session_id": self.session, "model_seq_id": self._next_model(), "base_model": BASE}
        return self._submit("create_model", {**body, "lora_config": {"rank": 8}})

    def create_by_loading(self) -> str:
        number = self._next_model()
        body = {"session_id": self.session, "model_seq_id": number, "optimizer": False}
        return self._submit("load_weights", {**body, "path": self.path})

    def numbered(self) -> str:
        return self._submit("forward_backward", training_step(self.model, self._next()))

    def unnumbered(self) -> str:
        return self._submit("optim_step", {**update(self.model, 0), "seq_id": None})

    def save(self) -> str:
        return self._submit("save_weights", {"model_id": self.model, "seq_id": self._next()})

    def save_without_number(self) -> str:
        return self._submit("save_weights_for_sampler", {"model_id": self.model})

    def forward(self) -> str:
        body = training_step(self.model, self._next())
        given = {"forward_input": body.pop("forward_backward_input")}
        return self._submit("forward", body | given)

    def export(self) -> str:
        number = self._next()
        body = {"model_id": self.model, "seq_id": number, "path": f"out-{number}"}
        return self._submit("save_weights_external", body)

    def unload(self) -> str:
        return self._submit("unload_model", {"model_id": self.model})

    def numbered_sample(self) -> str:
        self.samples += 1
        return self._sample(self.samples)

    def cloned_sample(self) -> str:
        self.samples += 1
        return self._sample(10**9 + self.samples)

    def unnumbered_sample(self) -> str:
        return self._sample(None)

    def custom_loss(self) -> str:
        self.losses += 1
        body = {"session_id": self.session, "custom_loss_seq_id": self.losses, **LOSS}
        return self._submit("create_custom_loss", body)


WAYS: list[Callable[[Client], str]] = [
    Client.create_model,
    Client.create_by_loading,
    Client.numbered,
    Client.unnumbered,
    Client.save,
    Client.save_without_number,
    Client.forward,
    Client.export,
    Client.unload,
    Client.numbered_sample,
    Client.cloned_sample,
    Client.unnumbered_sample,
    Client.custom_loss,
]


@pytest.fixture(scope="module")
def api(tinker_mock_session: RunningServer) -> Any:
    client = Api(tinker_mock_session, "tml-request-ids")
    with client.http:
        yield client


@settings(max_examples=12)
@given(ways=st.lists(st.sampled_from(WAYS), min_size=6, max_size=24))
def test_no_two_promises_share_an_id(api: Api, ways: list[Callable[[Client], str]]) -> None:
    client = Client(api)
    made = [way(client) for way in ways]
    assert len(set(made)) == len(made)


def test_these_are_all_the_operations_that_promise(api: Api) -> None:
    client = Client(api)
    for way in WAYS:
        way(client)
    operations = load_contract("tinker").operations.values()
    assert client.asked == {each.id for each in operations if each.promised}


def test_what_was_submitted_before_an_unload_is_done(api: Api) -> None:
    client = Client(api)
    first = client.numbered()
    unloaded = client.unload()
    assert "metrics" in api.outcome(first)
    assert api.outcome(unloaded) == {"model_id": client.model, "type": "unload_model"}
