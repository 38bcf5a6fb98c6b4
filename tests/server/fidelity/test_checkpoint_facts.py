"""Checkpoints as documented: their lives, their archives, who may load and copy them."""

import io
import json
import tarfile
from typing import Any

import httpx
import pytest
from safetensors.numpy import load

from tests.server.conftest import Api, sample, training_step, update
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings

HOUR, TEN_YEARS = 3600, 10 * 365 * 24 * 3600


def saved(
    api: Api, model: str, number: int, name: str, kind: str = "save_weights", **more: Any
) -> str:
    body = {"model_id": model, "seq_id": number, "path": name, **more}
    return str(api.done(kind, body)["path"])


@pytest.mark.parametrize("kind", ["save_weights", "save_weights_for_sampler"])
def test_a_life_is_an_hour_to_ten_years(api: Api, kind: str) -> None:
    model = api.model()
    for number, seconds in enumerate((HOUR, TEN_YEARS), 1):
        saved(api, model, number, f"t{seconds}", kind, ttl_seconds=seconds)
    for number, seconds in enumerate((HOUR - 1, TEN_YEARS + 1), 3):
        body = {"model_id": model, "seq_id": number, "path": "x", "ttl_seconds": seconds}
        refused = api.post(kind, body)
        assert refused.status_code == 422
        assert "ttl_seconds" in refused.json()["detail"]
    assert saved(api, model, 5, "forever", kind, ttl_seconds=None)
    told = api.get(f"training_runs/{model}/checkpoints").json()["checkpoints"]
    lasting = [one for one in told if not one.get("expires_at")]
    assert [one["checkpoint_id"].split("/")[1] for one in lasting] == ["forever"]


def test_sampler_weights_cannot_be_overwritten(api: Api) -> None:
    model = api.model()
    saved(api, model, 1, "s", "save_weights_for_sampler")
    body = {"model_id": model, "seq_id": 2, "path": "s", "overwrite": True}
    assert api.post("save_weights_for_sampler", body).status_code == 409


def test_a_published_checkpoint_is_loaded_and_sampled_by_everybody(api: Api, stranger: Api) -> None:
    model = api.model()
    api.done("forward_backward", training_step(model, 1))
    api.done("optim_step", update(model, 2, learning_rate=1e-2))
    state = saved(api, model, 3, "a")
    weights = saved(api, model, 4, "a", "save_weights_for_sampler")
    session = stranger.session()
    load_body = {"session_id": session, "model_seq_id": 0, "path": state, "optimizer": False}
    source = {"session_id": session, "sampling_session_seq_id": 0, "model_path": weights}
    assert stranger.post("load_weights", load_body).status_code == 403
    assert stranger.post("create_sampling_session", source).status_code == 403
    for folder in ("weights", "sampler_weights"):
        path = f"training_runs/{model}/checkpoints/{folder}/a/publish"
        assert api.post(path).status_code == 200
    loaded = stranger.done("load_weights", load_body)["model_id"]
    mine = api.done("forward_backward", training_step(model, 5))["metrics"]["loss:sum"]
    theirs = stranger.done("forward_backward", training_step(loaded, 1))["metrics"]["loss:sum"]
    assert theirs == mine
    sampler = stranger.sampler(session, 0, model_path=weights)
    assert stranger.done("asample", sample(sampler, 0))["sequences"][0]["tokens"]


def test_a_copy_is_in_the_project_it_was_sent_to(api: Api) -> None:
    model = api.model()
    path = saved(api, model, 1, "a")
    body = {"source_path": path, "destination_project_id": "archive"}
    copy = api.post("copy_weights", body).json()["tinker_path"]
    run = copy.removeprefix("tinker://").split("/")[0]
    assert run != model
    told = api.get("training_runs", project_id="archive").json()["training_runs"]
    assert [one["training_run_id"] for one in told] == [run]
    assert api.get("training_runs", project_id="elsewhere").json()["training_runs"] == []


def test_an_archive_of_attention_and_mlp_is_the_one_that_was_measured(
    tinker_mock: RunningServer,
) -> None:
    """496 tensors of Qwen3.5-4B; at rank 32 they are the 247.6 MiB that a program told of."""
    api = Api(tinker_mock, "tml-archive")
    parts = {"train_unembed": False, "train_mlp": True, "train_attn": True}
    with api.http:
        model = api.model(base_model="Qwen/Qwen3.5-4B", lora_config={"rank": 1, **parts})
        saved(api, model, 1, "s", "save_weights_for_sampler")
        where = api.get(f"training_runs/{model}/checkpoints/sampler_weights/s/archive")
        content = httpx.get(where.headers["location"], timeout=60).content
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        files = {one.name: tar.extractfile(one).read() for one in tar}  # type: ignore[union-attr]
    config = json.loads(files["adapter_config.json"])
    assert (config["lora_alpha"], config["target_modules"]) == (32, "all-linear")
    tensors = load(files["adapter_model.safetensors"])
    assert len(tensors) == 496
    assert {array.dtype.name for array in tensors.values()} == {"float32"}
    assert "base_model.model.model.layers.0.linear_attn.in_proj_q.lora_A.weight" in tensors
    size = 32 * sum(array.nbytes for array in tensors.values()) / 2**20
    assert size == pytest.approx(247.6, abs=0.2)


def test_every_listed_checkpoint_tells_its_base_model(api: Api) -> None:
    name = "moonshotai/Kimi-K2.6:peft:131072"
    model = api.model(base_model=name)
    for number, kind in enumerate(("save_weights", "save_weights_for_sampler"), 1):
        saved(api, model, number, "a", kind)
    for listing in ("checkpoints", f"training_runs/{model}/checkpoints"):
        told = api.get(listing).json()["checkpoints"]
        assert [one["base_model"] for one in told] == [name, name]
    found = api.post("checkpoints/search", {}).json()["checkpoints"]
    assert {one["base_model"] for one in found} == {name}


@pytest.mark.parametrize("quirks", [[], ["sampler-archives-only"]])
def test_archives_of_training_state_end_with_the_quirk(quirks: list[str]) -> None:
    with RunningServer(Settings(port=0, quirks=quirks)) as server:
        api = Api(server, "tml-archives")
        with api.http:
            model = api.model()
            for number, kind in enumerate(("save_weights", "save_weights_for_sampler"), 1):
                saved(api, model, number, "a", kind)
            folder = f"training_runs/{model}/checkpoints"
            assert api.get(f"{folder}/weights/a/archive").status_code == (404 if quirks else 302)
            assert api.get(f"{folder}/sampler_weights/a/archive").status_code == 302
