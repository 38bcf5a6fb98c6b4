"""A Kimi model: its tokenizer reads Chinese as well as English."""

from tinker_mock.client import ModelInput, SamplingParams, ServiceClient

with ServiceClient() as service:
    training = service.create_lora_training_client("moonshotai/Kimi-K2.6", rank=4)
    tokens = training.encode("Say hi 你好")
    print("decoded again:", training.decode(tokens))
    sampling = service.create_sampling_client(base_model="moonshotai/Kimi-K2.6")
    params = SamplingParams(max_tokens=8, seed=3)
    found = sampling.sample(ModelInput.from_ints(tokens), 1, params).result()
    print("sampled:", 0 < len(found.sequences[0].tokens) <= 8)
