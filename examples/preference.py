"""Direct preference optimization with a loss of your own, by the reference client (no torch)."""

from autograd import numpy as np

from tinker_mock.client import AdamParams, Datum, ModelInput, ServiceClient

PAIRS = {  # prompt: (preferred, rejected), as token ids
    (100, 101, 102): ([7, 8], [9, 9]),
    (200, 201, 202): ([9, 9], [7, 8]),
}
BETA = 0.5


def datum(prompt: tuple[int, ...], answer: list[int]) -> Datum:
    tokens = [*prompt, *answer]
    weights = [0.0] * (len(prompt) - 1) + [1.0] * len(answer)
    return Datum.of(ModelInput.from_ints(tokens[:-1]), target_tokens=tokens[1:], weights=weights)


data = [datum(prompt, answer) for prompt, pair in PAIRS.items() for answer in pair]


def total(logprobs):
    return [one[-2:].sum() for one in logprobs]


def preference_loss(data, logprobs):
    scores = [score - first for score, first in zip(total(logprobs), reference, strict=True)]
    margins = [BETA * (scores[i] - scores[i + 1]) for i in range(0, len(scores), 2)]
    loss = sum(np.log(1 + np.exp(-margin)) for margin in margins)
    return loss, {"right": sum(float(margin) > 0 for margin in margins) / len(margins)}


with ServiceClient() as service:
    trainer = service.create_lora_training_client("Qwen/Qwen3-8B", rank=8)
    before = trainer.forward(data, "cross_entropy").result()
    reference = [sum(output["logprobs"].data[-2:]) for output in before.loss_fn_outputs]
    for step in range(16):
        result = trainer.forward_backward_custom(data, preference_loss).result()
        trainer.optim_step(AdamParams(learning_rate=2e-4)).result()
        if step % 5 == 0:
            print(
                f"step {step}: loss {result.metrics['loss:sum']:.3f}, "
                f"preferences kept {result.metrics['right']:.0%}"
            )
