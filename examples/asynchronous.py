"""An asynchronous loop that never waits for one result before it sends the next request."""

import asyncio

import tinker
from tinker import types

TEXT = "the quick brown fox jumps over the lazy dog"


async def main() -> None:
    service = tinker.ServiceClient()
    trainer = await service.create_lora_training_client(base_model="Qwen/Qwen3-8B", rank=8)
    tokens = trainer.get_tokenizer().encode(TEXT)
    inputs = {"target_tokens": tokens[1:], "weights": [1.0] * (len(tokens) - 1)}
    data = [types.Datum(model_input=types.ModelInput.from_ints(tokens[:-1]), loss_fn_inputs=inputs)]
    pending = []
    for step in range(12):
        loss = trainer.forward_backward(data, "cross_entropy")
        trainer.optim_step(types.AdamParams(learning_rate=4e-4))
        pending.append((step, loss))
    for step, loss in pending:
        result = await loss
        if step % 4 == 0:
            print(f"step {step}: loss {result.metrics['loss:sum']:.2f}")
    sampler = await trainer.save_weights_and_get_sampling_client()
    asked = types.ModelInput.from_ints(tokens[:3])
    params = types.SamplingParams(max_tokens=8, temperature=0.0)
    samples = [sampler.sample(asked, 1, params) for _ in range(8)]
    answers = {tuple(one.sequences[0].tokens) for one in await asyncio.gather(*samples)}
    print(f"8 samples at temperature 0: {len(answers)} answer")


asyncio.run(main())
