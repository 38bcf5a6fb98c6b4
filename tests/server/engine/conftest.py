"""Small and full-size models for the engine's tests."""

import numpy as np
import pytest

from tinker_mock.server.engine import BaseModel, ChatGrammar, Datum, Trainer

SMALL = 61
SMALL_TOKENIZER = 57
GRAMMAR = ChatGrammar(
    end_tokens=(50,),
    header=(51, 7, 8),
    think_open=52,
    think_close=53,
    thinks=True,
    specials=((50, 56),),
)


def documents() -> list[list[int]]:
    """A few repetitive documents over tokens 0 to 49."""
    stream = np.random.default_rng(5)
    return [[*stream.integers(0, 12, 30).tolist(), 50] for _ in range(12)]


@pytest.fixture
def small() -> BaseModel:
    """61 rows, 57 tokens, n-gram prior, chat grammar."""
    return BaseModel("tests/small", SMALL, SMALL_TOKENIZER, grammar=GRAMMAR, corpus=documents)


@pytest.fixture(scope="session")
def qwen() -> BaseModel:
    """The size and grammar of Qwen3, synthetic prior."""
    grammar = ChatGrammar(
        end_tokens=(151645,),
        header=(151644, 77091, 198),
        think_open=151667,
        think_close=151668,
        thinks=True,
        specials=((151643, 151668),),
    )
    return BaseModel("Qwen/Qwen3-8B", 151936, 151669, grammar=grammar)


def policy_data(
    seed: int, count: int = 5, high: int = SMALL, weighted: bool = False
) -> list[Datum]:
    """Datums that fit every policy loss; with weights they fit cross_entropy alone."""
    stream = np.random.default_rng(seed)
    data = []
    for _ in range(count):
        tokens = stream.integers(0, high, int(stream.integers(4, 12)))
        size = tokens.size - 1
        inputs = {
            "target_tokens": tokens[1:],
            "logprobs": stream.normal(-4.0, 0.6, size).astype(np.float32),
            "advantages": stream.normal(0.0, 1.0, size).astype(np.float32),
        }
        weights = stream.normal(0.0, 1.0, size).astype(np.float32)
        if weighted:
            inputs["weights"] = weights
        data.append(Datum(tokens[:-1], inputs))
    return data


@pytest.fixture
def trained(small: BaseModel) -> Trainer:
    """A few steps in, so that parameters of every order are away from zero."""
    trainer = Trainer(small, rank=4)
    for step in range(3):
        trainer.forward_backward(policy_data(step, weighted=True), "cross_entropy")
        trainer.optim_step({"learning_rate": 2e-3})
    return trainer
