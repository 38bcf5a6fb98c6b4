"""What the server knows about a model; and that it is no longer needed."""

from tinker_mock.client import Datum, ModelInput, ServiceClient, TinkerError

with ServiceClient() as service:
    training = service.create_lora_training_client("Qwen/Qwen3-8B", rank=8)
    info = training.get_info()
    print(info.model_data.model_name, "rank", info.lora_rank)
    training.unload_model().result()
    data = [Datum.of(ModelInput.from_ints([1]), target_tokens=[2], weights=[1.0])]
    try:
        training.forward(data, "cross_entropy").result()
    except TinkerError as error:
        print("afterwards it is refused:", training.model_id in str(error))
