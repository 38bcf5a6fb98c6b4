"""Saving and loading."""

from .step import NotInRelease, Shared, close, datum, logprobs, method, released, step


@step("weights/save-state", "save_state")
def save_state(shared: Shared) -> None:
    output = shared.training.forward([datum()], "cross_entropy").result()
    shared.keep("saved_logprobs", logprobs(output))
    path = shared.training.save_state("kept").result().path
    assert path == f"tinker://{shared.training.model_id}/weights/kept", path
    shared.keep("state", path)


@step("weights/save-ttl", "save_state with a time to live")
def save_ttl(shared: Shared) -> None:
    method(shared.training, "save_state", "ttl_seconds")("brief", ttl_seconds=7200).result()


@step("weights/overwrite", "save_state over a name")
def overwrite(shared: Shared) -> None:
    save = method(shared.training, "save_state", "overwrite")
    save("twice").result()
    save("twice", overwrite=True).result()


@step("weights/metadata", "save_state with user metadata")
def metadata(shared: Shared) -> None:
    save = method(shared.training, "save_state", "user_metadata")
    save("labelled", user_metadata={"epoch": "1"}).result()


@step("weights/load-state", "load_state: the weights of the checkpoint")
def load_state(shared: Shared) -> None:
    client = shared.service.create_lora_training_client(base_model=model(shared), rank=16)
    client.load_state(shared.state).result()
    output = client.forward([datum()], "cross_entropy").result()
    assert close(logprobs(output), shared.saved_logprobs)


@step("weights/load-with-optimizer", "load_state_with_optimizer")
def load_with_optimizer(shared: Shared) -> None:
    client = shared.service.create_lora_training_client(base_model=model(shared), rank=16)
    method(client, "load_state_with_optimizer")(shared.state).result()


def model(shared: Shared) -> str:
    return str(shared.training.get_info().model_data.model_name)


@step("weights/from-state", "create_training_client_from_state")
def from_state(shared: Shared) -> None:
    client = shared.service.create_training_client_from_state(shared.state)
    output = client.forward([datum()], "cross_entropy").result()
    assert close(logprobs(output), shared.saved_logprobs)


@step("weights/from-state-with-optimizer", "create_training_client_from_state_with_optimizer")
def from_state_with_optimizer(shared: Shared) -> None:
    create = method(shared.service, "create_training_client_from_state_with_optimizer")
    client = create(shared.state, user_metadata={"resumed": "yes"})
    output = client.forward([datum()], "cross_entropy").result()
    assert close(logprobs(output), shared.saved_logprobs)


@step("weights/save-for-sampler", "save_weights_for_sampler, named")
def save_for_sampler(shared: Shared) -> None:
    path = shared.training.save_weights_for_sampler("sampled").result().path
    assert path == f"tinker://{shared.training.model_id}/sampler_weights/sampled", path
    shared.keep("sampler_path", path)


@step("weights/sampling-client", "save_weights_and_get_sampling_client")
def sampling_client(shared: Shared) -> None:
    shared.keep("ephemeral", shared.training.save_weights_and_get_sampling_client("now"))


@step("weights/ephemeral-sampling-client", "the same without a name")
def ephemeral_sampling_client(shared: Shared) -> None:
    shared.keep("ephemeral", shared.training.save_weights_and_get_sampling_client())


@step("weights/inflight", "a sampling client of kind inflight")
def inflight(shared: Shared) -> None:
    save = method(shared.training, "save_weights_and_get_sampling_client", "kind")
    shared.keep("inflight", save(kind="inflight"))


@step("weights/external", "save_weights_external and the files behind its URLs")
def external(shared: Shared) -> None:
    save = method(shared.training, "save_weights_external")
    path = shared.keep("external", save("exported").result().path)
    rest = shared.service.create_rest_client()
    urls = method(rest, "get_external_weights_urls")(path).result().urls
    assert "adapter_config.json" in urls, list(urls)
    assert all(len(download(url)) > 0 for url in urls.values())


def download(url: str) -> bytes:
    from urllib.request import urlopen

    with urlopen(url, timeout=30) as response:
        return bytes(response.read())


@step("weights/copy", "copy_weights")
def copy(shared: Shared) -> None:
    copied = method(shared.service, "copy_weights")(shared.state)
    path = copied.result() if hasattr(copied, "result") else copied
    text = path if isinstance(path, str) else path.tinker_path
    assert text.startswith("tinker://"), path
    assert text != shared.state


@step("weights/copy-to-project", "RestClient.copy_weights into a project")
def copy_to_project(shared: Shared) -> None:
    rest = shared.service.create_rest_client()
    call = method(rest, "copy_weights", "destination_project_id")
    if not released("0.34"):
        raise NotInRelease("copies into a session")
    assert str(call(shared.state, "project-audit").result()).startswith("tinker://")
