"""Checkpoints: saved, loaded, copied, published, expiring, downloaded, encrypted."""

import io
import json
import tarfile
from typing import Any

import httpx
import numpy as np
import pyrage
import pytest
from safetensors.numpy import load

from tests.server.conftest import BASE, TOKENS, Api, sample, training_step, update
from tinker_mock.server.engine import Datum, Trainer, load_state
from tinker_mock.server.service.bases import base_of
from tinker_mock.server.service.external import STATE_FILE, read_state
from tinker_mock.server.serving.in_thread import RunningServer

KEPT = "weights/kept"


def train(api: Api, model: str, first: int, steps: int = 2) -> int:
    """Some training; returns the next seq_id."""
    for step in range(steps):
        api.done("forward_backward", training_step(model, first + 2 * step))
        api.done("optim_step", update(model, first + 2 * step + 1))
    return first + 2 * steps


def save(
    api: Api, model: str, seq_id: int, name: str, kind: str = "save_weights", **more: Any
) -> str:
    body = {"model_id": model, "seq_id": seq_id, "path": name, **more}
    return str(api.done(kind, body)["path"])


@pytest.fixture
def trained(api: Api) -> tuple[Api, str, str]:
    """A trained model and its checkpoint `step`."""
    model = api.model()
    return api, model, save(api, model, train(api, model, 1), "step")


def curve(api: Api, model: str, first: int) -> list[float]:
    """Losses of further training."""
    found = []
    for step in range(3):
        result = api.done("forward_backward", training_step(model, first + 2 * step))
        found.append(result["metrics"]["loss:sum"])
        api.done("optim_step", update(model, first + 2 * step + 1))
    return found


def test_paths_name_run_kind_and_checkpoint(trained: tuple[Api, str, str]) -> None:
    api, model, path = trained
    assert path == f"tinker://{model}/weights/step"
    sampler = save(api, model, 6, "step", "save_weights_for_sampler")
    assert sampler == f"tinker://{model}/sampler_weights/step"
    unnamed = save(api, model, 7, None)  # type: ignore[arg-type]
    listed = api.get(f"training_runs/{model}/checkpoints").json()["checkpoints"]
    assert [entry["tinker_path"] for entry in listed] == [unnamed, sampler, path]
    assert {entry["checkpoint_type"] for entry in listed} == {"training", "sampler"}
    assert all(entry["size_bytes"] > 0 for entry in listed)


def test_a_resumed_model_goes_on_bit_for_bit(trained: tuple[Api, str, str]) -> None:
    api, model, path = trained
    straight = curve(api, model, 6)
    session = api.session()
    into_new = api.model(session)
    api.done("load_weights", {"model_id": into_new, "seq_id": 1, "path": path, "optimizer": True})
    assert curve(api, into_new, 2) == straight
    created = {"session_id": session, "model_seq_id": 1, "path": path}
    told = api.done("load_weights", {**created, "optimizer": True})
    assert told["model_id"] == f"{session}:train:1"
    assert curve(api, told["model_id"], 1) == straight
    without = api.done("load_weights", {**created, "model_seq_id": 2, "optimizer": False})
    fresh_moments = curve(api, without["model_id"], 1)
    assert fresh_moments[0] == straight[0]
    assert fresh_moments[2] != straight[2]


def test_load_is_only_a_models_first_request(trained: tuple[Api, str, str]) -> None:
    api, model, path = trained
    body = {"model_id": model, "seq_id": 6, "path": path, "optimizer": False}
    refused = api.post("load_weights", body)
    assert refused.status_code == 400
    assert "LoadWeights is not permitted with seq_id 6" in refused.json()["detail"]


def taken(api: Api, model: str, seq_id: int, name: str, kind: str, folder: str) -> None:
    """A save under a name that is taken is refused at once, and again when it is repeated."""
    body = {"model_id": model, "seq_id": seq_id, "path": name}
    for answer in (api.post(kind, body), api.post(kind, body)):
        assert answer.status_code == 409
        assert answer.json()["detail"] == (
            f"Checkpoint '{name}' already exists for model {model} in {folder}. "
            "Please choose a different name to avoid overwriting."
        )


def test_a_name_is_taken_once_and_overwritten_on_demand(trained: tuple[Api, str, str]) -> None:
    api, model, path = trained
    taken(api, model, 6, "step", "save_weights", "weights")
    after = train(api, model, 7, steps=1)  # the number of the refused save is not waited for
    taken(api, model, after, "step", "save_weights", "weights")
    assert save(api, model, after + 1, "step", overwrite=True) == path
    assert len(api.get("checkpoints").json()["checkpoints"]) == 1
    save(api, model, after + 2, "step", "save_weights_for_sampler")
    taken(api, model, after + 3, "step", "save_weights_for_sampler", "sampler_weights")


def test_a_save_that_is_sent_again_is_the_same_save(trained: tuple[Api, str, str]) -> None:
    api, model, _ = trained
    body = {"model_id": model, "seq_id": 6, "path": "once"}
    first = api.submit("save_weights", body)
    assert api.submit("save_weights", body) == first
    path = api.outcome(first)["path"]
    assert api.submit("save_weights", body) == first
    assert api.outcome(first)["path"] == path


def test_overwriting_replaces_the_metadata(trained: tuple[Api, str, str]) -> None:
    api, model, _ = trained

    def metadata() -> Any:
        listed = api.get(f"training_runs/{model}/checkpoints").json()["checkpoints"]
        return next(
            entry.get("user_metadata") for entry in listed if entry["checkpoint_id"] == KEPT
        )

    save(api, model, 6, "kept", user_metadata={"epoch": "1", "by": "me"})
    assert metadata() == {"epoch": "1", "by": "me"}
    save(api, model, 7, "kept", overwrite=True, user_metadata={"epoch": "2"})
    assert metadata() == {"epoch": "2"}
    save(api, model, 8, "kept", overwrite=True)
    assert metadata() is None


def test_a_sampler_snapshot_never_changes(trained: tuple[Api, str, str]) -> None:
    api, model, _ = trained
    path = save(api, model, 6, "then", "save_weights_for_sampler")
    session = api.session()
    sampler = api.sampler(session, model_path=path)
    before = api.done("asample", sample(sampler, 0, prompt_logprobs=True))["prompt_logprobs"]
    train(api, model, 7)
    later = api.done("asample", sample(sampler, 1, prompt_logprobs=True))["prompt_logprobs"]
    assert later == before
    assert api.get(f"samplers/{sampler}").json() == {
        "sampler_id": sampler,
        "base_model": BASE,
        "model_path": path,
    }


def test_others_read_what_is_published_or_with_the_owners_key(
    trained: tuple[Api, str, str], stranger: Api
) -> None:
    api, model, path = trained
    body = {"session_id": stranger.session(), "model_seq_id": 0, "path": path, "optimizer": False}
    assert stranger.post("load_weights", body).status_code == 403
    key = api.http.headers["x-api-key"]
    assert stranger.done("load_weights", {**body, "weights_access_token": key})
    wrong = stranger.post(
        "load_weights", {**body, "model_seq_id": 1, "weights_access_token": "tml-wrong"}
    )
    assert wrong.status_code == 403
    publish = f"training_runs/{model}/checkpoints/weights/step/publish"
    assert api.post(publish).status_code == 200
    assert stranger.post("weights_info", {"tinker_path": path}).json()["lora_rank"] == 8
    runs = stranger.get("training_runs", access_scope="accessible").json()["training_runs"]
    assert model in [run["training_run_id"] for run in runs]
    assert stranger.post(publish).status_code == 403
    assert api.http.delete(f"/api/v1/{publish}").status_code == 200
    assert stranger.post("weights_info", {"tinker_path": path}).status_code == 403


def test_copies_share_weights_and_cannot_be_trained(trained: tuple[Api, str, str]) -> None:
    api, _, path = trained
    body = {"source_path": path, "destination_project_id": "archive"}
    headers = {"X-Idempotency-Key": "once"}
    copy = api.post("copy_weights", body, **headers).json()["tinker_path"]
    assert api.post("copy_weights", body, **headers).json()["tinker_path"] == copy
    assert copy != path
    run = copy.removeprefix("tinker://").split("/")[0]
    refused = api.post("optim_step", update(run, 1))
    assert refused.status_code == 409
    found = {"session_id": api.session(), "model_seq_id": 0, "path": copy, "optimizer": True}
    assert api.done("load_weights", found)["path"] == copy


@pytest.mark.tinker_mock(clock="manual")
def test_checkpoints_expire(tinker_mock: RunningServer) -> None:
    api = Api(tinker_mock, "tml-expiry")
    with api.http:
        model = api.model()
        save(api, model, 1, "brief", ttl_seconds=3600)
        save(api, model, 2, "kept")
        url = f"/api/v1/training_runs/{model}/checkpoints/weights/kept/ttl"
        assert api.http.put(url, json={"ttl_seconds": 4000}).status_code == 200
        assert api.http.put(url, json={"ttl_seconds": None}).status_code == 200
        tinker_mock.call(tinker_mock.mock.clock.run_for(5000))
        listed = api.get("checkpoints").json()["checkpoints"]
        assert [entry["checkpoint_id"] for entry in listed] == ["weights/kept"]
        told = {"tinker_path": f"tinker://{model}/weights/brief"}
        assert api.post("weights_info", told).status_code == 404


def test_a_time_to_live_is_at_least_an_hour(trained: tuple[Api, str, str]) -> None:
    api, model, _ = trained
    short = {"model_id": model, "seq_id": 6, "path": "short", "ttl_seconds": 3599}
    url = f"/api/v1/training_runs/{model}/checkpoints/weights/step/ttl"
    for refused in (
        api.post("save_weights", short),
        api.http.put(url, json={"ttl_seconds": 3599}),
        api.http.put(url, json={"ttl_seconds": 2**40}),
    ):
        assert refused.status_code == 422
        assert "ttl_seconds" in refused.json()["detail"]


def test_the_archive_is_a_tar_with_an_adapter(trained: tuple[Api, str, str]) -> None:
    api, model, _ = trained
    url = f"training_runs/{model}/checkpoints/weights/step/archive"
    redirect = api.get(url)
    assert redirect.status_code == 302
    assert redirect.headers["expires"].endswith("GMT")
    content = httpx.get(redirect.headers["location"], timeout=60).content
    assert content == httpx.get(redirect.headers["location"], timeout=60).content
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        files = {entry.name: tar.extractfile(entry).read() for entry in tar}  # type: ignore[union-attr]
    config = json.loads(files["adapter_config.json"])
    tensors = load(files["adapter_model.safetensors"])
    assert (config["peft_type"], config["r"]) == ("LORA", 8)
    assert any(np.any(tensor) for name, tensor in tensors.items() if "lora_B" in name)
    assert all(tensor.shape[0] == 8 for name, tensor in tensors.items() if "lora_A" in name)


def test_a_downloaded_state_goes_on_bit_for_bit(trained: tuple[Api, str, str]) -> None:
    api, model, _ = trained
    url = api.get(f"training_runs/{model}/checkpoints/weights/step/archive").headers["location"]
    with tarfile.open(fileobj=io.BytesIO(httpx.get(url, timeout=60).content)) as tar:
        content = tar.extractfile(STATE_FILE).read()  # type: ignore[union-attr]
    trainer = Trainer(base_of(api.server.mock.backend, BASE), 8)
    load_state(trainer, read_state(content), with_optimizer=True)
    inputs = {
        "target_tokens": np.array(TOKENS[1:]),
        "weights": np.ones(len(TOKENS) - 1, dtype=np.float32),
    }
    data, losses = [Datum(np.array(TOKENS[:-1]), inputs)], []
    for _ in range(3):
        losses.append(trainer.forward_backward(data).metrics["loss:sum"])
        trainer.optim_step({"learning_rate": 1e-3})
    assert losses == curve(api, model, 6)


def test_links_are_signed(trained: tuple[Api, str, str]) -> None:
    api, model, _ = trained
    url = api.get(f"training_runs/{model}/checkpoints/weights/step/archive").headers["location"]
    assert httpx.get(url.replace("signature=", "signature=0"), timeout=60).status_code == 403
    assert httpx.get(url.replace("expires=", "expires=9"), timeout=60).status_code == 403


def test_external_weights_are_files_to_download(trained: tuple[Api, str, str]) -> None:
    api, model, _ = trained
    body = {"model_id": model, "seq_id": 6, "path": "out"}
    saved = api.done("save_weights_external", body)
    assert saved["path"] == f"tinker://{model}/external_weights/out"
    told = api.get(
        f"training_runs/{model}/checkpoints/external_weights/out/external_weights_urls"
    ).json()
    files = {name: httpx.get(url, timeout=60).content for name, url in told["urls"].items()}
    assert sum(map(len, files.values())) == saved["size_bytes"]
    assert json.loads(files["adapter_config.json"])["base_model_name_or_path"] == BASE
    old = {"X-Stainless-Package-Version": "0.27.2"}
    kinds = [
        {entry["checkpoint_type"] for entry in answer.json()["checkpoints"]}
        for answer in (
            api.get("checkpoints"),
            api.http.get("/api/v1/checkpoints", headers=old),
        )
    ]
    assert kinds == [{"training", "external"}, {"training"}]
    assert api.http.delete(f"/api/v1/training_runs/{model}/checkpoints/external_weights/out")
    assert len(api.get("checkpoints").json()["checkpoints"]) == 1


def test_external_weights_are_encrypted_for_their_recipients(
    trained: tuple[Api, str, str],
) -> None:
    api, model, _ = trained
    identity = pyrage.x25519.Identity.generate()
    body = {"model_id": model, "seq_id": 6, "path": "secret"}
    api.done(
        "save_weights_external",
        {**body, "age_encryption_recipients": [str(identity.to_public())]},
    )
    urls = api.get(
        f"training_runs/{model}/checkpoints/external_weights/secret/external_weights_urls"
    ).json()["urls"]
    content = httpx.get(urls["adapter_config.json.age"], timeout=60).content
    assert json.loads(pyrage.decrypt(content, [identity]))["peft_type"] == "LORA"
    bad = {**body, "seq_id": 7, "path": "other", "age_encryption_recipients": ["age1nobody"]}
    refused = api.outcome(api.submit("save_weights_external", bad))
    assert "age_encryption_recipients" in refused["error"]


def test_an_unloaded_model_refuses_work_and_keeps_its_checkpoints(
    trained: tuple[Api, str, str],
) -> None:
    api, model, path = trained
    assert api.done("unload_model", {"model_id": model})["model_id"] == model
    refused = api.outcome(api.submit("optim_step", update(model, 6)))
    assert "unloaded" in refused["error"]
    assert api.post("weights_info", {"tinker_path": path}).status_code == 200


def test_older_documents_address_checkpoints_by_path(trained: tuple[Api, str, str]) -> None:
    api, model, path = trained
    redirect = api.get("checkpoint_archive_url", tinker_path=path)
    assert redirect.status_code == 302
    assert api.post("publish_checkpoint", {"tinker_path": path}).status_code == 200
    listed = api.get("user_checkpoints").json()["checkpoints"]
    assert [entry["public"] for entry in listed] == [True]
    told = {"training_run_id": model, "checkpoint_id": "weights/step"}
    assert api.post("unpublish_checkpoint", told).status_code == 200
    refused = api.post("publish_checkpoint", {})
    assert refused.status_code == 422
    assert "tinker_path" in refused.json()["detail"]
