"""A program of the SDK, on this client."""

import tinker_mock.client.compat as tinker
from tinker_mock.client.compat import types

service = tinker.ServiceClient()
training = service.create_lora_training_client(base_model="Qwen/Qwen3-8B", rank=8).result()
prompt = types.ModelInput.from_ints([5, 6])
datum = types.Datum(model_input=prompt, loss_fn_inputs={"target_tokens": [6, 7]})
passed = training.forward_backward([datum], "cross_entropy")
training.optim_step(types.AdamParams(learning_rate=1e-3)).result()
print("loss:", passed.result().metrics["loss:sum"] > 0, "for", tinker.__version__)
service.close("success").result()
