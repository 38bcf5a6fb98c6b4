"""What a model takes in memory follows from what it was shown: counted in bytes of its arrays."""

import gc
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.server.engine.conftest import GRAMMAR, policy_data
from tinker_mock.server.engine import BaseModel, Datum, Sampler, SampleRequest, Trainer
from tinker_mock.server.engine.model import score
from tinker_mock.server.engine.model.base_model import MOST_RESIDENT
from tinker_mock.server.engine.model.weights import Weights
from tinker_mock.server.service.packing import weight_of

ROWS, LENGTH, ORDERS = 8, 128, 6
KIB = 1024
A_PAIR = 500
"""Bytes that a pair may take: names, slots, weights, moments, its row, and as much room to grow."""


def texts() -> list[np.ndarray]:
    """2,000 documents with the frequencies of language."""
    stream = np.random.default_rng(7)
    return [np.minimum(stream.zipf(1.4, 40) - 1, 7999) for _ in range(2000)]


@pytest.fixture(scope="module")
def wordy() -> BaseModel:
    """A prior as large as a tokenizer's."""
    base = BaseModel("tests/wordy", 8192, 8192, grammar=GRAMMAR, corpus=texts)
    assert base.table.entries.size > 40_000
    return base


def batch(seed: int, rows: int = ROWS) -> list[Datum]:
    stream = np.random.default_rng(seed)
    data = []
    for _ in range(rows):
        tokens = np.minimum(stream.zipf(1.3, LENGTH + 1) - 1, 7999)
        data.append(Datum(tokens[:-1], {"target_tokens": tokens[1:]}))
    return data


def step(trainer: Trainer, data: list[Datum], rate: float = 1e-3) -> None:
    trainer.forward_backward(data)
    trainer.optim_step({"learning_rate": rate})


def ask(seed: int, samples: int = 1, tokens: int = 32, temperature: float = 1.0) -> SampleRequest:
    prompt = batch(seed, 1)[0].tokens[:20]
    return SampleRequest(
        prompt, samples, max_tokens=tokens, seed=seed, stop=[], temperature=temperature
    )


def drawn(sampler: Sampler, request: SampleRequest) -> bytes:
    parts = [(one.tokens, one.logprobs) for one in sampler.sample(request).sequences]
    return b"".join(array.tobytes() for part in parts for array in part)


def test_a_fresh_model_owns_next_to_nothing(wordy: BaseModel) -> None:
    assert weight_of(Trainer(wordy)) < 64 * KIB


@pytest.mark.parametrize("optimizer", ["adamw", "dimuon"])
def test_a_step_adds_what_its_data_touches(wordy: BaseModel, optimizer: str) -> None:
    trainer, data = Trainer(wordy, optimizer=optimizer), batch(1)
    trainer.forward_backward(data)
    kind = {"type": "dimuon"} if optimizer == "dimuon" else {}
    trainer.optim_step({"learning_rate": 1e-4, **kind})
    chains = wordy.table.chains(wordy.read([datum.tokens for datum in data]).keys)
    touched = np.unique(chains[chains >= 0])
    listed = wordy.table.members.of(touched)[0].size
    pairs = ROWS * LENGTH * ORDERS + 2 * listed  # the latter with their parents
    once = weight_of(trainer)
    assert once < 64 * KIB + A_PAIR * pairs
    for _ in range(20):
        step(trainer, data) if optimizer == "adamw" else trainer.forward(data)
    assert weight_of(trainer) < 1.1 * once
    assert trainer.adapter.table.contexts.size < touched.size + ROWS * LENGTH * ORDERS


def test_models_share_what_is_untrained_and_leave_it_alone(wordy: BaseModel) -> None:
    table = wordy.table
    columns = (table.context, table.token, table.parent, table.log_base, table.listed)
    before = [column.values.tobytes() for column in columns]
    sizes = table.contexts.size, table.entries.size, table.members.pool.size
    trainers = [Trainer(wordy) for _ in range(5)]
    for number, trainer in enumerate(trainers):
        step(trainer, batch(number))
        Sampler(wordy, trainer.snapshot()).sample(ask(number, 16))
        assert trainer.adapter.table.untrained is table
    assert [column.values.tobytes() for column in columns] == before
    assert (table.contexts.size, table.entries.size, table.members.pool.size) == sizes


def test_snapshots_share_the_names_of_their_pairs(wordy: BaseModel) -> None:
    trainer, data = Trainer(wordy), batch(2)
    step(trainer, data)
    first = trainer.snapshot().state()
    step(trainer, data)
    second = trainer.snapshot().state()
    own = [name for name, part in second.items() if not np.shares_memory(part, first[name])]
    assert set(own) <= {"format", "vocabulary_size", "pairs.values"}
    assert second["pairs.values"].nbytes == 4 * second["pairs.tokens"].size
    step(trainer, batch(3))
    assert {name: part.size for name, part in second.items() if part.size > 1} == {
        name: part.size for name, part in first.items() if part.size > 1
    }


def test_a_sample_costs_what_it_visits(wordy: BaseModel) -> None:
    trainer = Trainer(wordy)
    step(trainer, batch(4))
    weights = trainer.snapshot()
    Sampler(wordy, weights).sample(ask(4, tokens=8))
    assert weight_of(weights) < 2 * weight_of(trainer)


def test_weights_that_nobody_has_are_gone_at_once_and_few_stay_unpacked(wordy: BaseModel) -> None:
    trainer, kept = Trainer(wordy), []
    for number in range(2 * MOST_RESIDENT):
        step(trainer, batch(5, 1))
        kept.append(trainer.snapshot())
        Sampler(wordy, kept[-1]).sample(ask(number, tokens=2))
    assert sum(weights.unpacked is not None for weights in kept) == MOST_RESIDENT
    gone = weakref.ref(wordy.scorer(kept[-1]))
    table = weakref.ref(trainer.adapter.table)
    gc.disable()
    try:
        del trainer, kept
        assert gone() is None
        assert table() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("many", [score.MANY, 3])
def test_samples_do_not_depend_on_what_was_sampled_before(
    wordy: BaseModel, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Contexts are taken over when they are asked for: in any order, some or all at once."""
    monkeypatch.setattr(score, "MANY", many)
    trainer = Trainer(wordy)
    step(trainer, batch(6))
    state = trainer.snapshot()
    alone = {}
    for seed in range(6):
        step(trainer, batch(6), rate=0.0)
        fresh = trainer.snapshot()
        alone[seed] = drawn(Sampler(wordy, fresh), ask(seed, 4))
    sampler = Sampler(wordy, state)
    for seed in (5, 2, 0, 4, 1, 3):
        sampler.sample(ask(seed, 2, temperature=0.7))
        assert drawn(sampler, ask(seed, 4)) == alone[seed]


def test_threads_that_sample_the_same_weights_do_not_disturb_each_other(wordy: BaseModel) -> None:
    trainer = Trainer(wordy)
    step(trainer, batch(7))
    asked = [ask(seed, 4, temperature=1.0 if seed % 2 else 0.8) for seed in range(12)]
    first = trainer.snapshot()
    alone = [drawn(Sampler(wordy, first), request) for request in asked]
    step(trainer, batch(7), rate=0.0)
    second, found = trainer.snapshot(), {}
    assert second is not first

    def work(number: int) -> None:
        found[number] = drawn(Sampler(wordy, second), asked[number])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(asked))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[number] for number in range(len(asked))] == alone


def test_threads_that_open_the_same_weights_at_other_temperatures_share_their_table(
    small: BaseModel,
) -> None:
    """A temperature is made ready beside another that adds contexts to the same table."""
    trainer, interval = Trainer(small), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for number in range(60):
            trainer.forward_backward(policy_data(number), "importance_sampling")
            trainer.optim_step({"learning_rate": 1e-3})
            state = trainer.snapshot()

            def work(heat: float, state: Weights = state, place: int = number % 40) -> bytes:
                request = SampleRequest(
                    np.array([place, 3, place]), max_tokens=6, seed=1, temperature=heat
                )
                return drawn(Sampler(small, state), request)

            with ThreadPoolExecutor(4) as pool:
                assert all(pool.map(work, (0.5, 0.7, 0.9, 1.1)))
    finally:
        sys.setswitchinterval(interval)


def test_equal_trainings_at_once_have_the_numbers_of_one_alone(wordy: BaseModel) -> None:
    """Together they keep more samplers than stay unpacked, and ask the oldest last."""

    def train(_: int) -> list[bytes]:
        trainer, samplers = Trainer(wordy, rank=8), []
        for number in range(MOST_RESIDENT // 2):
            step(trainer, batch(number, 2))
            samplers.append(Sampler(wordy, trainer.snapshot()))
            step(trainer, batch(50 + number, 2))
        trained = trainer.forward(batch(9, 2)).outputs[0]["logprobs"].tobytes()
        return [trained, *(drawn(sampler, ask(3)) for sampler in samplers)]

    alone = train(0)
    assert len(set(alone)) == len(alone)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(train, range(4))) == [alone] * 4
