"""Another tokenizer than the model's: one of your own, or of a directory."""

from tinker_mock.client import ModelInput, ServiceClient


class Letters:
    """A token a letter."""

    def encode(self, text):
        return [ord(letter) for letter in text]

    def decode(self, tokens):
        return "".join(map(chr, tokens))


prompt = ModelInput.from_text("Tinker", tokenizer=Letters())
print(prompt.to_ints())
with ServiceClient() as service:
    sampling = service.create_sampling_client(base_model="Qwen/Qwen3-8B")
    print("log-probabilities:", len(sampling.compute_logprobs(prompt).result()))
