"""Tokenizers as users get them: of a model in training, and by the name of a model."""

import json
import time

import tinker

service = tinker.ServiceClient()
seen = {}
for model in ("Qwen/Qwen3-8B", "openai/gpt-oss-20b"):
    training = service.create_lora_training_client(base_model=model, rank=4)
    began = time.monotonic()
    tokenizer = training.get_tokenizer()
    named = time.monotonic() - began
    sampling = service.create_sampling_client(base_model=model)
    again = sampling.get_tokenizer()
    ids = tokenizer.encode("Hello there.\n\nassistant")
    prompt = tinker.ModelInput.from_ints(ids)
    params = tinker.SamplingParams(max_tokens=40, stop=["e"], seed=1)
    sample = sampling.sample(prompt=prompt, num_samples=1, sampling_params=params).result()
    seen[model] = {
        "seconds": named,
        "round": tokenizer.decode(ids),
        "same": again.encode("Hello there.\n\nassistant") == ids,
        "size": len(tokenizer),
        "most": max(ids),
        "chat": tokenizer.apply_chat_template(
            [{"role": "user", "content": "Hi"}], add_generation_prompt=True, tokenize=False
        ),
        "text": tokenizer.decode(sample.sequences[0].tokens),
        "before": tokenizer.decode(sample.sequences[0].tokens[:-1]),
    }
print(json.dumps(seen))
