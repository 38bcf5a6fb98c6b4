"""`create_custom_loss`: a loss traced here, run there or here, with the same result."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tinker_mock.client import AdamParams, Datum, ModelInput, ServiceClient, ValidationError
from tinker_mock.client.losses.arrays import array_namespace
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings

MODEL = "Qwen/Qwen3-8B"
RANKS: dict[str, Any] = {"logprobs": 1, "old_logprobs": 1, "advantages": 1}


def clipped(logprobs: Any, old_logprobs: Any, advantages: Any) -> Any:
    xp = array_namespace(logprobs)
    ratio = xp.exp(logprobs - old_logprobs)
    kept = xp.clip(ratio, 0.8, 1.2)
    objective = xp.minimum(ratio * advantages, kept * advantages)
    clips = xp.where(ratio != kept, 1.0, 0.0)
    return -objective.sum(), {"custom/ratio:mean": ratio.mean(), "custom/clips:sum": clips.sum()}


def datum(tokens: list[int], old: float, advantage: float) -> Datum:
    count = len(tokens) - 1
    inputs = {
        "target_tokens": tokens[1:],
        "old_logprobs": np.full(count, old, np.float32),
        "advantages": np.full(count, advantage, np.float32),
    }
    return Datum(ModelInput.from_ints(tokens[:-1]), inputs)


DATA = [datum([11, 12, 13, 14], -8.0, 1.0), datum([21, 22, 23], -9.0, -0.5)]


def opened(there: bool) -> Iterator[ServiceClient]:
    flags = {"custom_loss_server_side": there}
    settings = Settings(port=0, client_config=flags)
    with (
        RunningServer(settings) as server,
        ServiceClient(base_url=server.url, api_key="tml-losses") as service,
    ):
        yield service


@pytest.fixture
def service() -> Iterator[ServiceClient]:
    yield from opened(there=True)


def trained(there: bool) -> tuple[str | None, list[dict[str, float]]]:
    steps = []
    for service in opened(there):
        training = service.create_lora_training_client(MODEL, 8)
        handle = service.create_custom_loss(clipped, RANKS)
        for _ in range(3):
            passed = training.forward_backward_custom(DATA, handle)
            training.optim_step(AdamParams(1e-3)).result()
            steps.append(dict(passed.result().metrics))
    return handle.loss_id, steps


def test_it_trains_the_same_here_and_there() -> None:
    (no_name, here), (name, there) = trained(False), trained(True)
    assert no_name is None
    assert name
    for mine, theirs in zip(here, there, strict=True):
        for metric in ("loss:sum", "custom/ratio:mean", "custom/clips:sum"):
            assert mine[metric] == pytest.approx(theirs[metric], rel=1e-5)
    assert here[0]["custom/ratio:mean"] != pytest.approx(here[-1]["custom/ratio:mean"])


def test_a_session_makes_each_loss_once_and_keeps_it(service: ServiceClient) -> None:
    handle = service.create_custom_loss(clipped, RANKS)
    with pytest.raises(ValidationError, match="already created 'clipped'"):
        service.create_custom_loss(clipped, RANKS)
    config = service.inner.config
    with ServiceClient(base_url=config.base_url, api_key=config.api_key) as other:
        training = other.create_lora_training_client(MODEL, 8)
        with pytest.raises(ValidationError, match="created in session"):
            training.forward_backward_custom(DATA, handle)


def test_every_datum_needs_its_inputs_at_their_rank(service: ServiceClient) -> None:
    training = service.create_lora_training_client(MODEL, 8)
    handle = service.create_custom_loss(clipped, RANKS)
    bare = Datum(ModelInput.from_ints([1]), {"target_tokens": [2]})
    with pytest.raises(ValidationError, match=r"datum\[1\] has no loss_fn_inputs\['old_logprobs'"):
        training.forward_backward_custom([DATA[0], bare], handle)
    square = np.zeros((3, 1), np.float32)
    inputs = {**DATA[0].loss_fn_inputs, "advantages": square}
    with pytest.raises(ValidationError, match="has rank 2"):
        training.forward_backward_custom([Datum(DATA[0].model_input, inputs)], handle)


def branches(logprobs: Any) -> Any:
    return (logprobs.sum() if logprobs.sum() > 0 else -logprobs.sum()), {}


def captures(logprobs: Any) -> Any:
    return (logprobs * np.ones(3)).sum(), {}


def misnames(logprobs: Any) -> Any:
    return logprobs.sum(), {"mine": logprobs.sum()}


def forgets_metrics(logprobs: Any) -> Any:
    return logprobs.sum()


def is_constant(logprobs: Any) -> Any:
    return 1.0, {}


def has_default(logprobs: Any, weights: Any = None) -> Any:
    return logprobs.sum(), {}


@pytest.mark.parametrize(
    ("loss", "ranks", "says"),
    [
        (branches, {"logprobs": 1}, "cannot branch"),
        (captures, {"logprobs": 1}, "captures an array"),
        (misnames, {"logprobs": 1}, "custom/<name>:sum"),
        (forgets_metrics, {"logprobs": 1}, r"\(loss, metrics\)"),
        (is_constant, {"logprobs": 1}, "from its inputs"),
        (has_default, {"logprobs": 1, "weights": 1}, "without a default"),
        (clipped, {"logprobs": 1}, "a rank for each parameter"),
        (clipped, {**RANKS, "logprobs": 0}, "1 \\(\\[T\\]\\) or 2"),
        ("loss", {"logprobs": 1}, "is a function"),
    ],
)
def test_what_no_server_could_run_is_refused(
    service: ServiceClient, loss: Any, ranks: Any, says: str
) -> None:
    with pytest.raises(ValidationError, match=says):
        service.create_custom_loss(loss, ranks)
