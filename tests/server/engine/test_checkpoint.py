"""Checkpoints: exact to the bit."""

import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.server.engine.conftest import policy_data
from tinker_mock.server.engine import (
    BaseModel,
    EngineError,
    Sampler,
    SampleRequest,
    Trainer,
    export_state,
    export_weights,
    from_peft,
    import_weights,
    load_state,
    peft_adapter,
)
from tinker_mock.server.engine.model.base_model import MOST_RESIDENT


def logprob_bytes(trainer: Trainer) -> bytes:
    outputs = trainer.forward(policy_data(77, weighted=True)).outputs
    return b"".join(o["logprobs"].tobytes() for o in outputs)


def train(trainer: Trainer, steps: range) -> list[float]:
    losses = []
    for step in steps:
        losses.append(
            trainer.forward_backward(policy_data(step, weighted=True)).metrics["loss:sum"]
        )
        trainer.optim_step({"learning_rate": 1e-3})
    return losses


def test_resuming_continues_to_the_last_digit(small: BaseModel) -> None:
    straight, broken = Trainer(small), Trainer(small)
    expected = train(straight, range(6))
    losses = train(broken, range(3))
    resumed = Trainer(small)
    load_state(resumed, export_state(broken), with_optimizer=True)
    losses += train(resumed, range(3, 6))
    assert losses == expected
    assert logprob_bytes(resumed) == logprob_bytes(straight)
    left, right = export_state(straight), export_state(resumed)
    assert {k: v.tobytes() for k, v in left.items()} == {k: v.tobytes() for k, v in right.items()}


def test_weights_alone_reset_the_optimizer(trained: Trainer) -> None:
    fresh = Trainer(trained.base)
    load_state(fresh, export_state(trained), with_optimizer=False)
    assert logprob_bytes(fresh) == logprob_bytes(trained)
    assert fresh.optimizer.step == 0
    assert not fresh.optimizer.first.values.any()


def test_a_checkpoint_of_an_older_format_is_refused(trained: Trainer) -> None:
    old = {"vocabulary_size": np.array([61]), "orders.0.keys": np.zeros(0), "step": np.array([3])}
    with pytest.raises(EngineError, match="written by an older release"):
        load_state(Trainer(trained.base), old)


def test_loading_drops_a_pending_gradient(trained: Trainer) -> None:
    state = export_state(trained)
    trained.forward_backward(policy_data(1, weighted=True))
    load_state(trained, state, with_optimizer=True)
    assert trained.optim_step({"learning_rate": 0.0})["unclipped_grad_l2:mean"] == 0.0


def test_peft_files_bring_back_the_same_weights(trained: Trainer) -> None:
    state = export_weights(trained.snapshot())
    config, tensors = peft_adapter("tests/small", 4, (True, True, True), state)
    assert config["r"] == 4
    assert sorted(config["target_modules"]) == ["down_proj", "lm_head", "q_proj"]
    for name, tensor in tensors.items():
        assert tensor.dtype == np.float32
        assert np.isfinite(tensor).all()
        assert tensor.shape[0 if "lora_A" in name else 1] == 4
    back = from_peft(config, tensors)
    assert set(back) == set(state)
    for name, array in state.items():
        np.testing.assert_array_equal(back[name], array)
    fresh = Trainer(trained.base)
    load_state(fresh, back)
    assert logprob_bytes(fresh) == logprob_bytes(trained)


def test_peft_files_name_the_trained_modules_only(small: BaseModel) -> None:
    trainer = Trainer(small, train_attn=False, train_unembed=False)
    train(trainer, range(2))
    state = export_state(trainer)
    _, tensors = peft_adapter("tests/small", 2, (False, True, False), state)
    assert {name.split(".")[-4] + "." + name.split(".")[-3] for name in tensors} == {
        "mlp.down_proj"
    }


def test_another_vocabulary_is_refused(trained: Trainer, qwen: BaseModel) -> None:
    with pytest.raises(EngineError, match="vocabulary of 61 tokens"):
        load_state(Trainer(qwen), export_state(trained))


def test_weights_have_no_optimizer_to_load(trained: Trainer) -> None:
    weights = export_weights(trained.snapshot())
    with pytest.raises(EngineError, match="weights only"):
        load_state(Trainer(trained.base), weights, with_optimizer=True)


def test_weights_dropped_from_memory_come_back_the_same(trained: Trainer) -> None:
    """Only the latest few weights stay unpacked; the numbers do not depend on which."""
    request = SampleRequest(np.array([1, 2, 3]), max_tokens=20, seed=1, prompt_logprobs=True)
    snapshots, sampled = [], []
    for step in range(MOST_RESIDENT + 3):
        train(trained, range(step, step + 1))
        snapshots.append(trained.snapshot())
        sampled.append(Sampler(trained.base, snapshots[-1]).sample(request).sequences[0])
    for snapshot, before in zip(snapshots, sampled, strict=True):
        after = Sampler(trained.base, snapshot).sample(request).sequences[0]
        assert after.tokens.tobytes() == before.tokens.tobytes()
        assert after.logprobs.tobytes() == before.logprobs.tobytes()


def test_a_snapshot_without_a_step_between_is_the_same(trained: Trainer) -> None:
    first = trained.snapshot()
    trained.forward_backward(policy_data(1, weighted=True))
    assert trained.snapshot() is first
    assert copy.deepcopy(first) is first


def test_imported_weights_sample_like_the_exported(trained: Trainer) -> None:
    snapshot = trained.snapshot()
    imported = import_weights(trained.base, snapshot.shape, export_weights(snapshot))
    request = SampleRequest(np.array([4, 5]), max_tokens=20, seed=2)
    one, other = (Sampler(trained.base, w).sample(request) for w in (snapshot, imported))
    assert one.sequences[0].logprobs.tobytes() == other.sequences[0].logprobs.tobytes()


def test_many_threads_see_the_same_numbers(trained: Trainer) -> None:
    """Shared tables are made once or twice, never wrongly."""
    snapshots = []
    for step in range(MOST_RESIDENT + 4):
        train(trained, range(step, step + 1))
        snapshots.append(trained.snapshot())

    def sampled(place: int) -> bytes:
        request = SampleRequest(
            np.array([1, 2]),
            max_tokens=12,
            seed=place,
            temperature=(0.5, 0.7, 1.0, 1.3, 2.0)[place % 5],
        )
        snapshot = snapshots[place % len(snapshots)]
        return Sampler(trained.base, snapshot).sample(request).sequences[0].logprobs.tobytes()

    alone = [sampled(place) for place in range(60)]
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(sampled, range(60))) == alone
