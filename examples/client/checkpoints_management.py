"""A checkpoint from its making to its end: expiry, publishing, listing, deleting."""

from tinker_mock.client import ServiceClient

with ServiceClient() as service:
    training = service.create_lora_training_client("Qwen/Qwen3-8B", rank=8)
    path = training.save_state("managed", ttl_seconds=7200).result().path
    rest = service.create_rest_client()

    def listed():
        return rest.list_checkpoints(training.model_id).checkpoints[0]

    print("expires:", listed().expires_at is not None)
    rest.set_checkpoint_ttl(path, None)
    print("for ever:", listed().expires_at is None)
    rest.publish_checkpoint(path)
    print("public:", listed().public)
    rest.unpublish_checkpoint(path)
    mine = {one.tinker_path for one in rest.pages(rest.list_user_checkpoints, "checkpoints")}
    print("among all of mine:", path in mine)
    rest.delete_checkpoint(path)
    print("left:", len(rest.list_checkpoints(training.model_id).checkpoints))
