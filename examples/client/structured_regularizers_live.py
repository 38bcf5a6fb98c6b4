"""The same on a server: penalties of its log-probabilities, with the norms of their gradients."""

from tinker_mock.client import Datum, ModelInput, RegularizerSpec, ServiceClient
from tinker_mock.client.losses.regularizers import entropy, l1_sparsity

with ServiceClient() as service:
    training = service.create_lora_training_client("Qwen/Qwen3-8B", rank=8)
    data = [Datum.of(ModelInput.from_ints([1, 2, 3]), target_tokens=[2, 3, 4])]
    specs = [RegularizerSpec(l1_sparsity, 0.01, "l1"), RegularizerSpec(entropy, 0.1, "entropy")]
    loss = lambda data, logprobs: -sum(row.sum() for row in logprobs)  # noqa: E731
    output = training.forward_backward_custom(
        data, loss, regularizers=specs, track_grad_norms=True
    ).result()
    for name in sorted(name for name in output.metrics if name.startswith("regularizer")):
        print(name)
