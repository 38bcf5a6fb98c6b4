"""More data than fit into a request, and every setting of Adam."""

from tinker_mock.client import PRESETS, AdamParams, Datum, ModelInput, ServiceClient
from tinker_mock.client.futures.chunks import ChunkLimits, split

data = [
    Datum.of(ModelInput.from_ints([n, n + 1]), target_tokens=[n + 1, n + 2], weights=[1.0, 1.0])
    for n in range(1025)
]
parts = split(data, PRESETS["python-latest"], ChunkLimits())
print("requests:", [len(part.data) for part in parts])
with ServiceClient() as service:
    training = service.create_lora_training_client("Qwen/Qwen3-8B", rank=8)
    output = training.forward_backward(data, "cross_entropy").result()
    print("answered as one:", len(output.loss_fn_outputs))
    params = AdamParams(2e-4, beta1=0.9, beta2=0.95, weight_decay=0.01, grad_clip_norm=1.0)
    print("stepped:", training.optim_step(params).result() is not None)
