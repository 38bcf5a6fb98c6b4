"""schemathesis over the whole contract, in process: examples, boundary values, random data, links.

`TINKER_MOCK_FUZZ_EXAMPLES` raises the number of random examples an operation (default 5).
"""

import copy
import os
from collections import Counter
from typing import Any

import pytest
import schemathesis
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from tinker_mock.contracts import load_contract
from tinker_mock.contracts.protobuf import messages
from tinker_mock.server.app import create_app
from tinker_mock.server.settings import Settings

# What is drawn depends on the modules that other tests have imported: now and then it is large.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")
EXAMPLES = int(os.environ.get("TINKER_MOCK_FUZZ_EXAMPLES", "5"))
REFUSALS = ["400", "401", "402", "403", "404", "408", "409", "410", "413", "429"]
CONTROL_KEY = "steers-the-mock"
PHASES = {"examples", "coverage", "fuzzing", "stateful"}


def loss_request(model: str, seq_id: int, tokens: list[int], data: int, loss: str) -> bytes:
    request = messages.ForwardBackwardRequest(model_id=model, seq_id=seq_id, loss_fn=loss)
    for _ in range(data):
        datum = request.data.add()
        chunk = datum.model_input.add().encoded_text
        chunk.tokens = b"".join(token.to_bytes(4, "little") for token in tokens)
        target = datum.loss_fn_inputs["target_tokens"]
        target.dense = b"".join(token.to_bytes(8, "little") for token in tokens)
        target.dtype = messages.DTYPE_INT64
        target.shape.append(len(tokens))
    return bytes(request.SerializeToString())


schemathesis.openapi.media_type(
    "application/x-protobuf",
    st.builds(
        loss_request,
        st.text(min_size=1, max_size=8),
        st.integers(0, 100),
        st.lists(st.integers(0, 1000), max_size=5),
        st.integers(0, 2),
        st.sampled_from(["cross_entropy", "ppo", "unheard-of"]),
    ),
)


def configuration(contract: str, **phases: Any) -> SchemathesisConfig:
    accepted: dict[str, Any] = {"expected-statuses": ["2xx", "3xx", *REFUSALS]}
    if contract == "control":  # names of scenarios, scripts, plans: no schema has them all
        accepted = {"enabled": False}
    return SchemathesisConfig.from_dict(
        {
            "seed": 1,
            "suppress-health-check": ["too_slow"],
            "request-timeout": 120,  # a busy machine is no finding
            "headers": {"X-API-Key": "tml-fuzz", "X-Tinker-Mock-Key": CONTROL_KEY},
            "generation": {
                "max-examples": EXAMPLES,
                "deterministic": True,
                "database": "none",
            },
            "checks": {
                # 422 is for breaches of the contract, which valid data are none of.
                "positive_data_acceptance": accepted,
            },
            "phases": phases,
            "operations": [
                # The mock is no identity provider: any bearer token is a user's.
                {
                    "include-operation-id": "create_api_key",
                    "checks": {"ignored_auth": {"enabled": False}},
                },
                # Revokes the key it is called with, which must not be everybody's.
                {
                    "include-operation-id": "delete_my_api_key",
                    "headers": {"X-API-Key": "tml-fuzz-revoked"},
                },
            ],
        }
    )


def keep_only(document: dict[str, Any], wanted: tuple[str, ...]) -> None:
    """Leave these operations in the document, and the links between them."""
    for item in document["paths"].values():
        for method in [m for m, node in item.items() if node["operationId"] not in wanted]:
            del item[method]
        for node in item.values():
            links = node["responses"].get("200", {}).get("links", {})
            for name in [n for n, link in links.items() if link["operationId"] not in wanted]:
                del links[name]
    document["paths"] = {path: item for path, item in document["paths"].items() if item}


class Run:
    """Everything the engine reported."""

    def __init__(
        self, operations: tuple[str, ...] = (), contract: str = "tinker", **phases: Any
    ) -> None:
        document = copy.deepcopy(load_contract(contract).document)
        if operations:
            keep_only(document, operations)
        self.app = create_app(Settings(seed=1, long_poll=0.05, control_key=CONTROL_KEY))
        config = configuration(contract, **phases)
        schema = schemathesis.openapi.from_dict(document, config=config)
        schema.app = self.app
        self.failures: list[str] = []
        self.broken: list[str] = []
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.phases: set[str] = set()
        self.operations: set[str] = set()
        for event in from_schema(schema).execute():
            if isinstance(event, events.ScenarioFinished):
                self._read(event)
            elif isinstance(event, events.NonFatalError | events.FatalError):
                self.broken.append(f"{event!r}: {getattr(event, 'info', '')}")

    def _read(self, event: events.ScenarioFinished) -> None:
        self.phases.add(event.phase.value.lower())
        recorder = event.recorder
        for case_id, interaction in recorder.interactions.items():
            label = recorder.cases[case_id].value.operation.label
            self.operations.add(label)
            if interaction.response is not None:
                self.statuses[event.phase.value.lower(), interaction.response.status_code] += 1
        for case_id, checks in recorder.checks.items():
            for check in checks:
                if check.failure_info is not None:
                    self.failures.append(self._told(recorder, case_id, check))

    def _told(self, recorder: Any, case_id: str, check: Any) -> str:
        case, response = recorder.cases[case_id].value, recorder.interactions[case_id].response
        answer = response.content[:300] if response is not None else b""
        sample = check.failure_info.code_sample[:800]
        return f"{check.name} {case.operation.label}\n{sample}\n{answer!r}"


@pytest.fixture(scope="module")
def run() -> Run:
    return Run()


def test_no_failure(run: Run) -> None:
    assert not run.broken, "\n\n".join(run.broken)
    assert not run.failures, "\n\n".join(dict.fromkeys(run.failures))


def test_no_answer_is_a_server_error(run: Run) -> None:
    assert [key for key in run.statuses if key[1] >= 500] == []


def test_every_operation_in_every_phase(run: Run) -> None:
    assert run.phases >= PHASES
    document = load_contract("tinker").document
    wanted = {f"{m.upper()} {p}" for p, item in document["paths"].items() for m in item}
    assert wanted <= run.operations


def test_links_reach_live_promises() -> None:
    run = Run(
        (
            "create_session",
            "create_model",
            "forward_backward",
            "create_sampling_session",
            "asample",
            "stream_sample",
            "retrieve_future",
        ),
        examples={"enabled": False},
        coverage={"enabled": False},
        fuzzing={"enabled": False},
        stateful={
            "max-steps": 30,
            "generation": {"max-examples": 3 * EXAMPLES, "mode": "positive"},
        },
    )
    assert not run.failures, "\n\n".join(dict.fromkeys(run.failures))
    seen = Counter((e.operation, e.status) for e in run.app.state.mock.journal.entries)
    assert seen["retrieve_future", 200] + seen["retrieve_future", 408] >= EXAMPLES, seen
    assert seen["forward_backward", 200] >= EXAMPLES, seen
    assert seen["stream_sample", 200] >= 1, seen


def test_the_text_endpoints_hold_too() -> None:
    run = Run(contract="inference")
    assert not run.broken, "\n\n".join(run.broken)
    assert run.failures == []
    assert not [status for _, status in run.statuses if status >= 500]
    assert len(run.operations) == len(load_contract("inference").operations)


ENDLESS = ("journal_feed", "wait_for_count")
"""Operations that answer when something happens."""


def test_the_control_api_holds_too() -> None:
    """Resets, snapshots, scenarios, mutants and clocks among the others."""
    document = load_contract("control").operations
    wanted = tuple(name for name in document if name not in ENDLESS)
    run = Run(wanted, contract="control")
    assert not run.broken, "\n\n".join(run.broken)
    assert run.failures == []
    assert not [status for _, status in run.statuses if status >= 500]
    assert len(run.operations) == len(wanted)
