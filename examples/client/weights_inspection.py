"""What a checkpoint is: its base model, its rank, which parts were trained."""

from tinker_mock.client import ServiceClient

with ServiceClient() as service:
    training = service.create_lora_training_client("Qwen/Qwen3-8B", rank=8, train_mlp=False)
    path = training.save_state("inspected").result().path
    rest = service.create_rest_client()
    weights = rest.get_weights_info_by_tinker_path(path)
    print(weights.base_model, weights.lora_rank, "mlp trained:", weights.train_mlp)
    run = rest.get_training_run_by_tinker_path(path)
    print("of this run:", run.training_run_id == training.model_id)
    sampler = service.create_sampling_client(base_model="Qwen/Qwen3-8B")
    print("sampler of:", rest.get_sampler(sampler.sampling_session_id).base_model)
