"""Reinforce what a reward likes: each prompt wants its own letter, learned from samples alone."""

import tinker
from tinker import types

LETTERS = {"A word with a:": "a", "A word with s:": "s"}
GROUP, STEPS = 128, 31

service = tinker.ServiceClient()
trainer = service.create_lora_training_client(base_model="Qwen/Qwen3.5-9B-Base", rank=16).result()
tokenizer = trainer.get_tokenizer()


def explore(wish: str) -> list[types.Datum]:
    """Samples of one token, each with what its reward is above the group's mean."""
    prompt = tokenizer.encode(wish)
    params = types.SamplingParams(max_tokens=1, temperature=1.0, top_k=-1)
    asked = types.ModelInput.from_ints(prompt)
    sequences = sampler.sample(asked, num_samples=GROUP, sampling_params=params).result().sequences
    texts = [tokenizer.decode(sequence.tokens).strip() for sequence in sequences]
    rewards = [float(text.startswith(LETTERS[wish])) for text in texts]
    mean[wish] = sum(rewards) / GROUP
    idle = [0.0] * (len(prompt) - 1)
    return [
        types.Datum(
            model_input=asked,
            loss_fn_inputs={
                "target_tokens": prompt[1:] + sequence.tokens,
                "logprobs": idle + sequence.logprobs,
                "advantages": [*idle, reward - mean[wish]],
            },
        )
        for sequence, reward in zip(sequences, rewards, strict=True)
        if reward != mean[wish]
    ]


mean: dict[str, float] = {}
for step in range(STEPS):
    sampler = trainer.save_weights_and_get_sampling_client().result()
    data = [datum for wish in LETTERS for datum in explore(wish)]
    if step % 15 == 0:
        print(f"step {step}:", ", ".join(f"{wish} {reward:.1f}" for wish, reward in mean.items()))
    if data:
        trainer.forward_backward(data, "importance_sampling")
        trainer.optim_step(types.AdamParams(learning_rate=4e-4)).result()
