"""Text in, text out, with the model's own tokenizer."""

from tinker_mock.client import ModelInput, SamplingParams, ServiceClient

with ServiceClient() as service:
    sampling = service.create_sampling_client(base_model="Qwen/Qwen3-8B")
    tokenizer = sampling.get_tokenizer()
    prompt = ModelInput.from_text("Once upon a time", tokenizer=tokenizer)
    params = SamplingParams(max_tokens=8, seed=1, temperature=0.7)
    response = sampling.sample(prompt, num_samples=2, sampling_params=params).result()
    for sequence in response.sequences:
        text = tokenizer.decode(list(sequence.tokens))
        print(sequence.stop_reason, len(sequence.tokens), isinstance(text, str))
