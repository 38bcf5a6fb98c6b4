"""The model answers what it was shown, each question its own; exact numbers are kept meanwhile."""

import zlib

import numpy as np
import pytest

from tinker_mock.server.engine import BaseModel, Datum, Sampler, SampleRequest, Trainer

HEADER = [151644, 77091, 198, 151667, 271, 151668, 271]
END = 151645


def words(seed: int, count: int) -> list[int]:
    """Tokens with the frequencies of language."""
    return ((np.random.default_rng(seed).zipf(1.3, count) - 1) % 90_000).tolist()


def question(number: int, closing: int = 0) -> list[int]:
    """A chat prompt; `closing` tokens at its end are the same for all."""
    own = words(1000 + number, 8)
    return [151644, 872, 198, *own, *words(1, closing), END, 198, *HEADER]


def answer(number: int) -> list[int]:
    return [*words(5000 + number, 1 + number % 7), END]


def shown(prompt: list[int], completion: list[int], weight: float = 1.0) -> Datum:
    whole = np.array(prompt + completion)
    weights = np.zeros(whole.size - 1, dtype=np.float32)
    weights[len(prompt) - 1 :] = weight
    return Datum(whole[:-1], {"target_tokens": np.maximum(whole[1:], 0), "weights": weights})


def teach(trainer: Trainer, data: list[Datum], rate: float, until: float, steps: int = 300) -> int:
    """Steps until the loss per trained token is below `until`."""
    tokens = sum(float(np.abs(d.inputs["weights"]).sum()) for d in data)
    for step in range(steps):
        loss = trainer.forward_backward(data).metrics["loss:sum"] / tokens
        if loss < until:
            trainer.pending = type(trainer.pending)()
            return step
        trainer.optim_step({"learning_rate": rate})
    raise AssertionError(f"the loss is still {loss} after {steps} steps")


def greedy(trainer: Trainer, prompt: list[int], tokens: int = 12) -> list[int]:
    ask = SampleRequest(np.array(prompt), max_tokens=tokens, temperature=0.0)
    sampler = Sampler(trainer.base, trainer.snapshot())
    return sampler.sample(ask).sequences[0].tokens.tolist()


@pytest.mark.parametrize(
    ("count", "closing", "rate", "most"),
    [
        (4, 0, 1e-4, 120),
        (4, 6, 2e-4, 60),
        (4, 20, 5e-4, 30),
        (64, 20, 2e-4, 60),
        (512, 20, 5e-4, 40),
        (512, 0, 2e-4, 80),
    ],
)
def test_every_question_gets_its_own_answer(
    qwen: BaseModel, count: int, closing: int, rate: float, most: int
) -> None:
    """Also when questions end alike, over more tokens than any window sees."""
    trainer = Trainer(qwen)
    pairs = [(question(n, closing), answer(n)) for n in range(count)]
    steps = teach(trainer, [shown(*pair) for pair in pairs], rate, until=0.03)
    assert steps <= most
    for prompt, completion in pairs[:: 1 + count // 64]:
        assert greedy(trainer, prompt) == completion


@pytest.mark.parametrize("part", ["attn", "mlp", "unembed"])
def test_each_part_alone_remembers(qwen: BaseModel, part: str) -> None:
    attn, mlp, unembed = (name == part for name in ("attn", "mlp", "unembed"))
    trainer = Trainer(qwen, train_attn=attn, train_mlp=mlp, train_unembed=unembed)
    pairs = [(question(n, 20), answer(n)) for n in range(64)]
    assert teach(trainer, [shown(*pair) for pair in pairs], 2e-4, until=0.03) <= 60
    for prompt, completion in pairs:
        assert greedy(trainer, prompt) == completion


def test_unseen_questions_get_finished_text_of_the_kind_that_was_shown(qwen: BaseModel) -> None:
    trainer = Trainer(qwen)
    pairs = [(question(n), answer(n)) for n in range(64)]
    teach(trainer, [shown(*pair) for pair in pairs], 2e-4, until=0.1)
    openings = {completion[0] for _, completion in pairs}
    sampler, known, ended = Sampler(qwen, trainer.snapshot()), 0, 0
    for number in range(500, 540):
        ask = SampleRequest(np.array(question(number)), max_tokens=64, seed=number)
        (sequence,) = sampler.sample(ask).sequences
        known += int(sequence.tokens[0]) in openings
        ended += sequence.stop_reason == "stop"
    assert ended >= 36
    assert known >= 30


def test_what_stands_before_the_known_context_may_change(qwen: BaseModel) -> None:
    """A question of its own words is mostly recognised behind a new system prompt."""
    trainer = Trainer(qwen)
    pairs = [(question(n), answer(n)) for n in range(16)]
    teach(trainer, [shown(*pair) for pair in pairs], 2e-4, until=0.05)
    system = [151644, 8948, 198, *words(9, 12), END, 198]
    right = sum(greedy(trainer, system + prompt) == completion for prompt, completion in pairs)
    assert right >= 8


def picture(colour: str) -> list[int]:
    """64 positions, as the service makes them: negative, the same for the same bytes."""
    return [-1 - zlib.crc32(colour.encode())] * 64


def test_pictures_are_told_apart(qwen: BaseModel) -> None:
    """Same text, other picture, other label; also with text of any length behind it."""
    for text in ([8, 9], words(4, 40)):
        trainer, labels = Trainer(qwen), {"red": 1111, "blue": 2222}
        prompts = {colour: [5, 6, 7, *picture(colour), *text] for colour in labels}
        data = [shown(prompts[colour], [label]) for colour, label in labels.items()]
        teach(trainer, data * 4, 5e-4, until=0.001)
        sampler = Sampler(qwen, trainer.snapshot())
        for colour, label in labels.items():
            ask = SampleRequest(np.array(prompts[colour]), num_samples=64, max_tokens=1, seed=1)
            assert {int(s.tokens[0]) for s in sampler.sample(ask).sequences} == {label}


def rollouts(
    trainer: Trainer, prompt: list[int], right: int, step: int
) -> tuple[list[Datum], float]:
    """A group of samples with group-relative advantages, and their mean reward."""
    sampler = Sampler(trainer.base, trainer.snapshot())
    ask = SampleRequest(np.array(prompt), num_samples=16, max_tokens=3, seed=step, stop=[])
    sequences = sampler.sample(ask).sequences
    rewards = np.array([float(np.any(s.tokens % 10 == right)) for s in sequences])
    data = []
    for sequence, advantage in zip(sequences, rewards - rewards.mean(), strict=True):
        whole = np.array([*prompt, *sequence.tokens])
        size, start = whole.size - 1, len(prompt) - 1
        logprobs, advantages = np.zeros(size, np.float32), np.zeros(size, np.float32)
        logprobs[start:], advantages[start:] = sequence.logprobs, advantage
        inputs = {"target_tokens": whole[1:], "logprobs": logprobs, "advantages": advantages}
        data.append(Datum(whole[:-1], inputs))
    return data, float(rewards.mean())


@pytest.mark.parametrize("loss", ["importance_sampling", "ppo"])
def test_rewards_rise_for_every_prompt(qwen: BaseModel, loss: str) -> None:
    """Six prompts, six different right answers: the last digit of a token's id."""
    trainer = Trainer(qwen)
    prompts = [question(n, closing=20) for n in range(6)]
    history = []
    for step in range(60):
        data, rewards = [], []
        for right, prompt in enumerate(prompts):
            group, reward = rollouts(trainer, prompt, right, step)
            data += group
            rewards.append(reward)
        history.append(rewards)
        assert trainer.forward(data, "ppo").metrics["loss:sum"] == pytest.approx(0.0, abs=1e-4)
        trainer.forward_backward(data, loss)
        trainer.optim_step({"learning_rate": 2e-4})
    assert np.mean(history[0]) < 0.6
    assert np.mean(history[-10:], axis=0).min() > 0.95


def test_preferences_are_kept_apart_by_prompt(qwen: BaseModel) -> None:
    """DPO: what one prompt prefers, another one rejects."""
    trainer = Trainer(qwen)
    pairs = [(question(0, 20), 10, 20), (question(1, 20), 20, 10)]
    data = [shown(prompt, [token, END]) for prompt, good, bad in pairs for token in (good, bad)]

    def sums() -> np.ndarray:
        outputs = trainer.forward(data).outputs
        return np.array(
            [float(o["logprobs"] @ d.inputs["weights"]) for o, d in zip(outputs, data, strict=True)]
        )

    reference, beta = sums(), 0.1
    for _ in range(60):
        shifts = sums() - reference
        margins = beta * (shifts[::2] - shifts[1::2])
        slope = beta / (1 + np.exp(margins))  # -d/d(margin) of -log sigmoid(margin)
        signs = np.stack([slope, -slope], axis=1).ravel()
        step = [
            shown(prompt, [token, END], float(sign))
            for (prompt, token), sign in zip(
                [(p, t) for p, good, bad in pairs for t in (good, bad)], signs, strict=True
            )
        ]
        trainer.forward_backward(step)
        trainer.optim_step({"learning_rate": 1e-4})
    shifts = sums() - reference
    assert (shifts[::2] - shifts[1::2] > 10).all()


def test_a_long_prompts_answers_are_handed_to_the_short_one(qwen: BaseModel) -> None:
    """Prompt distillation: sample with instructions, train without them."""
    teacher, student = Trainer(qwen), Trainer(qwen)
    rules = words(77, 60)
    questions = [question(n, 20) for n in range(8)]
    teach(teacher, [shown(rules + q, answer(n)) for n, q in enumerate(questions)], 2e-4, 0.05)
    taught = [greedy(teacher, rules + q) for q in questions]
    teach(student, [shown(q, a) for q, a in zip(questions, taught, strict=True)], 2e-4, 0.05)
    assert [greedy(student, q) for q in questions] == taught == [answer(n) for n in range(8)]


def test_a_bad_batch_can_be_unlearned(qwen: BaseModel) -> None:
    trainer = Trainer(qwen)
    good = [shown(question(n), answer(n)) for n in range(8)]
    bad = [shown(question(n), answer(n)) for n in range(100, 104)]
    teach(trainer, good + bad, 2e-4, until=0.05)
    unlearn = [shown(question(n), answer(n), -1.0) for n in range(100, 104)]
    for _ in range(150):
        trainer.forward_backward(unlearn + good)
        trainer.optim_step({"learning_rate": 2e-4})
    for number in range(100, 104):
        assert greedy(trainer, question(number)) != answer(number)
    for number in range(8):
        assert greedy(trainer, question(number)) == answer(number)


def test_samples_are_on_policy_to_the_last_bit(qwen: BaseModel) -> None:
    """After training, over contexts of every length."""
    trainer = Trainer(qwen)
    teach(trainer, [shown(question(n, 20), answer(n)) for n in range(32)], 2e-4, until=0.5)
    sampler = Sampler(qwen, trainer.snapshot())
    for number in range(40):
        prompt = np.array(question(number, 20))
        ask = SampleRequest(prompt, num_samples=2, max_tokens=20, seed=number)
        for sequence in sampler.sample(ask).sequences:
            whole = np.concatenate([prompt, sequence.tokens])
            forward = trainer.forward([Datum(whole[:-1], {"target_tokens": whole[1:]})])
            seen = forward.outputs[0]["logprobs"][prompt.size - 1 :]
            assert seen.tobytes() == sequence.logprobs.tobytes()
