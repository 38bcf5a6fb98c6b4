"""A training script as users write them: nothing in it knows that the service is simulated.

It runs under any release of the SDK and prints what it saw as one line of JSON.
"""

import json

import tinker
from tinker import types

MODEL = "Qwen/Qwen3-8B"
TEXT = [9707, 11, 1879, 0, 358, 1079, 264, 2613, 1614, 429, 15804, 553, 38561, 13, 151645]


def datum(tokens):
    return types.Datum(
        model_input=types.ModelInput.from_ints(tokens[:-1]),
        loss_fn_inputs={
            "target_tokens": types.TensorData(
                data=tokens[1:], dtype="int64", shape=[len(tokens) - 1]
            ),
            "weights": types.TensorData(
                data=[1.0] * (len(tokens) - 1), dtype="float32", shape=[len(tokens) - 1]
            ),
        },
    )


def sampled(client, seed):
    params = types.SamplingParams(max_tokens=12, temperature=0.7, seed=seed)
    # What was shown is known by heart, whatever the seed: ask something else.
    prompt = types.ModelInput.from_ints(TEXT[3::-1])
    response = client.sample(prompt=prompt, num_samples=2, sampling_params=params).result()
    return [list(sequence.tokens) for sequence in response.sequences]


def main():
    service = tinker.ServiceClient()
    offered = [m.model_name for m in service.get_server_capabilities().supported_models]
    training = service.create_lora_training_client(base_model=MODEL, rank=16)
    data, losses = [datum(TEXT), datum(TEXT[3:])], []
    for _ in range(20):
        step = training.forward_backward(data, "cross_entropy")
        update = training.optim_step(types.AdamParams(learning_rate=5e-4))
        losses.append(step.result().metrics["loss:sum"])
        update.result()
    forward = training.forward(data, "cross_entropy").result()
    saved = training.save_state("after-20").result().path
    resumed = service.create_training_client_from_state(saved)
    again = resumed.forward(data, "cross_entropy").result()

    weights = training.save_weights_for_sampler("after-20").result().path
    sampler = service.create_sampling_client(model_path=weights)
    prompt_logprobs = sampler.compute_logprobs(types.ModelInput.from_ints(TEXT)).result()

    rest = service.create_rest_client()
    runs = rest.list_training_runs().result().training_runs
    checkpoints = rest.list_user_checkpoints().result().checkpoints
    run = rest.get_training_run(training.model_id).result()

    def logprobs(output):
        return [entry["logprobs"].tolist() for entry in output.loss_fn_outputs]

    print(
        json.dumps(
            {
                "version": tinker.__version__,
                "offered": MODEL in offered,
                "losses": losses,
                "forward": logprobs(forward),
                "resumed": logprobs(again),
                "samples": [sampled(sampler, 7), sampled(sampler, 7), sampled(sampler, 8)],
                "prompt_logprobs": prompt_logprobs,
                "run_ids": [entry.training_run_id for entry in runs],
                "model_id": training.model_id,
                "run_model": run.base_model,
                "paths": [entry.tinker_path for entry in checkpoints],
                "saved": [saved, weights],
            }
        )
    )


main()
