"""External weights in and out again, and the search for checkpoints, as documented for SDK 0.39."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.server.conftest import BASE, Api, sample, training_step, update
from tinker_mock.server.serving.in_thread import RunningServer

LORA = {"rank": 8, "train_attn": True, "train_mlp": True, "train_unembed": True}


def exported(api: Api) -> tuple[str, dict[str, bytes]]:
    """A trained model and its files, as save_weights_external gives them."""
    model = api.model(lora_config=LORA)
    for step in range(3):
        api.done("forward_backward", training_step(model, 2 * step + 1))
        api.done("optim_step", update(model, 2 * step + 2))
    body = {"model_id": model, "seq_id": 7, "path": "out"}
    assert api.done("save_weights_external", body)["path"].endswith("/external_weights/out")
    where = f"training_runs/{model}/checkpoints/external_weights/out/external_weights_urls"
    links = api.get(where).json()["urls"]
    return model, {name: httpx.get(url).content for name, url in links.items()}


def scored(api: Api, path: str) -> list[float]:
    """What a checkpoint's sampler thinks of a prompt."""
    told = api.done("asample", sample(api.sampler(model_path=path), 0, prompt_logprobs=True))
    return list(told["prompt_logprobs"][1:])


def uploaded(api: Api, files: dict[str, bytes], **more: Any) -> httpx.Response:
    """An upload of the files, up to the answer that finishes it."""
    begun = api.post(
        "external_weights_upload_start", {"base_model": BASE, "lora_config": LORA, **more}
    ).json()
    assert set(begun["urls"]) >= set(files)
    for name, content in files.items():
        assert httpx.put(begun["urls"][name], content=content).is_success
    return api.post("external_weights_upload_finish", {"upload_id": begun["upload_id"]})


def test_what_was_exported_can_be_uploaded_and_samples_the_same(api: Api) -> None:
    model, files = exported(api)
    path = uploaded(api, files).json()["tinker_path"]
    named = {"model_id": model, "seq_id": 8, "path": "s"}
    trained = api.done("save_weights_for_sampler", named)["path"]
    assert scored(api, path) == scored(api, trained)
    (listed,) = [
        entry for entry in api.get("checkpoints").json()["checkpoints"]
        if entry["tinker_path"] == path
    ]  # fmt: skip
    assert listed["checkpoint_type"] == "external"
    assert listed["base_model"] == BASE
    assert listed["size_bytes"] == sum(map(len, files.values()))
    assert api.get("billing/usage/checkpoints/current").json()["data"][0]["checkpoint_count"] == 3


def test_finishing_twice_gives_the_same_checkpoint(api: Api) -> None:
    _, files = exported(api)
    finished = uploaded(api, files)
    upload_id = finished.json()["tinker_path"].split("/")[2]
    again = api.post("external_weights_upload_finish", {"upload_id": upload_id})
    assert again.json() == finished.json()


def test_files_that_do_not_fit_are_refused_by_name(api: Api) -> None:
    _, files = exported(api)
    lacking = {name: content for name, content in files.items() if "adapter_model" not in name}
    refused = uploaded(api, lacking)
    assert refused.status_code == 400
    assert "adapter_model.safetensors: was not uploaded" in refused.json()["detail"]
    other = uploaded(api, files, lora_config={**LORA, "rank": 16})
    assert "is for rank 8 of Qwen/Qwen3-8B, the upload for rank 16" in other.json()["detail"]
    broken = uploaded(api, {**files, "tinker_mock_state.safetensors": b"\0" * 40})
    assert broken.status_code == 400
    assert "tinker_mock_state.safetensors: cannot be read" in broken.json()["detail"]


def test_links_to_upload_are_the_callers_and_signed(api: Api, stranger: Api) -> None:
    body = {"base_model": BASE, "lora_config": LORA}
    begun = api.post("external_weights_upload_start", body).json()
    upload_id, link = begun["upload_id"], begun["urls"]["adapter_config.json"]["url"]
    forged = link[:-1] + ("1" if link.endswith("0") else "0")
    assert httpx.put(forged, content=b"x").status_code == 403
    assert httpx.get(link).status_code == 404
    finish = {"upload_id": upload_id}
    assert stranger.post("external_weights_upload_finish", finish).status_code == 404


@pytest.mark.parametrize(("release", "kind"), [("0.39.0", str), ("0.40.0", dict)])
def test_links_have_the_form_that_the_release_reads(api: Api, release: str, kind: type) -> None:
    headers = {
        "x-stainless-package-version": release,
        "user-agent": f"AsyncTinker/Python {release}",
    }
    body = {"base_model": BASE, "lora_config": LORA}
    begun = api.post("external_weights_upload_start", body, **headers).json()
    assert all(isinstance(where, kind) for where in begun["urls"].values())


@pytest.mark.tinker_mock(quirks=["uploads-closed"])
def test_a_server_may_not_offer_uploads(tinker_mock: RunningServer) -> None:
    api = Api(tinker_mock, "tml-closed")
    with api.http:
        body = {"base_model": BASE, "lora_config": LORA}
        assert api.post("external_weights_upload_start", body).status_code == 403


def found(api: Api, **query: Any) -> list[str]:
    answer = api.post("checkpoints/search", query)
    assert answer.status_code == 200, answer.text
    return [entry["checkpoint_id"] for entry in answer.json()["checkpoints"]]


@pytest.fixture
def saved(tinker_mock: RunningServer) -> Iterator[Api]:
    """A tenant with five checkpoints of three kinds, saved a minute apart."""
    api = Api(tinker_mock, "tml-search")
    model, other = api.model(), api.model(base_model="openai/gpt-oss-20b")
    plan = [
        (model, "save_weights", "a", {"lr": "1"}), (model, "save_weights", "b", {"lr": "2"}),
        (model, "save_weights_for_sampler", "s", {"lr": "1"}), (other, "save_weights", "c", None),
        (model, "save_weights", "d", None),
    ]  # fmt: skip
    for number, (run, operation, name, metadata) in enumerate(plan):
        seq_id = 1 if run == other else number + 1 - (number > 3)
        more = {} if metadata is None else {"user_metadata": metadata}
        body = {"model_id": run, "seq_id": seq_id, "path": name, **more}
        api.done(operation, body)
        tinker_mock.call(tinker_mock.mock.clock.run_for(60))
    yield api
    api.http.close()


@pytest.mark.tinker_mock(clock="manual")
def test_checkpoints_are_found_newest_first_and_by_every_filter(saved: Api) -> None:
    everything = ["weights/d", "weights/c", "sampler_weights/s", "weights/b", "weights/a"]
    assert found(saved) == everything
    assert found(saved, user_metadata={"lr": "1"}) == ["sampler_weights/s", "weights/a"]
    assert found(saved, checkpoint_type="sampler") == ["sampler_weights/s"]
    assert found(saved, base_models=["openai/gpt-oss-20b"]) == ["weights/c"]
    assert found(saved, base_models=[]) == []
    assert found(saved, owner={"type": "accessible"}) == everything
    assert found(saved, owner={"type": "user", "owner_urns": ["tml:user:nobody"]}) == []
    refused = saved.post("checkpoints/search", {"project_ids": ["somebody-elses"]})
    assert refused.status_code == 403
    assert "somebody-elses" in refused.json()["detail"]


@pytest.mark.tinker_mock(clock="manual")
def test_pages_of_a_search_follow_one_another(saved: Api) -> None:
    pages, cursor = [], None
    while True:
        page = saved.post("checkpoints/search", {"limit": 2, "cursor": cursor}).json()
        pages.append([entry["checkpoint_id"] for entry in page["checkpoints"]])
        cursor = page.get("next_cursor")
        if cursor is None:
            break
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [name for page in pages for name in page] == found(saved)
