"""Teach four answers, then ask for them: the loss falls, and each question gets its own answer."""

import tinker
from tinker import types

LESSONS = {
    "What is the capital of France?": "Paris.",
    "What is the capital of Japan?": "Tokyo.",
    "Who wrote Hamlet?": "William Shakespeare.",
    "How many legs has a spider?": "Eight.",
}

service = tinker.ServiceClient()
trainer = service.create_lora_training_client(base_model="Qwen/Qwen3-8B", rank=16).result()
tokenizer = trainer.get_tokenizer()


def prompt(question: str) -> list[int]:
    return tokenizer.encode(f"Q: {question}\nA:")


def lesson(question: str, answer: str) -> types.Datum:
    asked, told = prompt(question), tokenizer.encode(f" {answer}\n")
    tokens, weights = asked + told, [0.0] * (len(asked) - 1) + [1.0] * len(told)
    inputs = {"target_tokens": tokens[1:], "weights": weights}
    return types.Datum(model_input=types.ModelInput.from_ints(tokens[:-1]), loss_fn_inputs=inputs)


data = [lesson(*pair) for pair in LESSONS.items()]
for step in range(30):
    loss = trainer.forward_backward(data, "cross_entropy")
    update = trainer.optim_step(types.AdamParams(learning_rate=4e-4))
    if step % 10 == 0:
        print(f"step {step}: loss {loss.result().metrics['loss:sum']:.3f}")
    update.result()

sampler = trainer.save_weights_and_get_sampling_client().result()
params = types.SamplingParams(max_tokens=16, temperature=0.0, stop=["\n"])
for question in LESSONS:
    asked = types.ModelInput.from_ints(prompt(question))
    answer = sampler.sample(asked, num_samples=1, sampling_params=params).result()
    print(question, tokenizer.decode(answer.sequences[0].tokens).strip())
