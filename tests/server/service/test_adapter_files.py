"""Archives: the base model's modules and sizes, streamed; our exact state beside them."""

import io
import json
import math
import tarfile
import tracemalloc
from typing import Any

import httpx
import numpy as np
import pytest

from tests.server.conftest import Api, sample, training_step, update
from tinker_mock.server.catalog import Catalog
from tinker_mock.server.engine.checkpoints.lora_modules import lora_modules
from tinker_mock.server.service.external import STATE_FILE, read_state
from tinker_mock.server.serving.in_thread import RunningServer

# Adapter parameters per rank (attention, MLP, unembedding): tinker-cookbook 0.6.1,
# hyperparam_utils.py, measured on the service.
MEASURED = {
    "Qwen/Qwen3-8B": (958_464, 1_769_472, 156_032),
    "Qwen/Qwen3.5-4B": (897_024, 1_130_496, 250_880),
    "Qwen/Qwen3.5-9B": (1_130_496, 1_572_864, 252_416),
    "Qwen/Qwen3.8-27B": (2_965_504, 4_325_376, 253_440),
    "Qwen/Qwen3.6-35B-A3B": (1_013_760, 16_281_600, 250_368),
    "Qwen/Qwen3.5-397B-A17B": (2_841_600, 96_030_720, 252_416),
    "Qwen/Qwen3-4B-Instruct-2507": (737_280, 1_327_104, 154_496),
    "Qwen/Qwen3-32B": (2_490_368, 5_898_240, 157_056),
    "Qwen/Qwen3-30B-A3B": (835_584, 14_450_688, 153_984),
    "Qwen/Qwen3-235B-A22B-Instruct-2507": (3_176_448, 56_598_528, 156_032),
    "deepseek-ai/DeepSeek-V3.1": (2_440_000, 94_307_328, 136_448),
    "moonshotai/Kimi-K2.6": (1_940_288, 144_583_680, 171_008),
    "zai-org/GLM-5.3:peft:262144": (2_920_320, 121_356_288, 161_024),
    "zai-org/GLM-5.3-Flash:peft:262144": (2_009_088, 75_755_520, 158_976),
    "thinkingmachines/Inkling-2-Small": (2_347_008, 128_065_536, 205_632),
    "openai/gpt-oss-20b": (497_664, 6_842_880, 203_968),
    "openai/gpt-oss-120b": (746_496, 40_124_160, 203_968),
    "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": (584_832, 11_346_176, 133_760),
    "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-BF16": (1_675_264, 111_349_760, 135_168),
    "meta-llama/Llama-3.2-1B": (212_992, 491_520, 130_304),
    "meta-llama/Llama-3.2-3B": (573_440, 946_176, 131_328),
    "meta-llama/Llama-3.1-8B": (851_968, 1_769_472, 132_352),
    "meta-llama/Llama-3.1-70B": (4_096_000, 8_847_360, 136_448),
}
NEARLY = {
    "nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B-BF16": (4_134_912, 254_529_536, 139_264),
    "thinkingmachines/Inkling": (3_424_256, 154_705_920, 207_168),
    "thinkingmachines/Inkling-Small": (1_311_744, 64_503_808, 205_120),
}


def counted(name: str) -> tuple[int, ...]:
    totals = {"attn": 0, "mlp": 0, "unembed": 0}
    for module in lora_modules(Catalog.load().get(name).architecture):
        totals[module.part] += sum(map(math.prod, module.shapes(1)))
    return tuple(totals.values())


@pytest.mark.parametrize("name", MEASURED)
def test_an_adapter_has_as_many_parameters_as_on_the_service(name: str) -> None:
    assert counted(name) == MEASURED[name]


@pytest.mark.parametrize("name", NEARLY)
def test_three_are_within_a_thousandth(name: str) -> None:
    assert counted(name) == pytest.approx(NEARLY[name], rel=1e-3)


def test_the_modules_of_a_hybrid_model_are_those_of_a_published_archive() -> None:
    """496 tensors in an archive of Qwen3.5-4B, the unembedding's two left out."""
    modules = lora_modules(Catalog.load().get("Qwen/Qwen3.5-4B").architecture)
    names = {module.name for module in modules if module.part != "unembed"}
    assert 2 * len(names) == 496
    assert "layers.0.linear_attn.in_proj_q" in names
    assert "layers.3.self_attn.q_proj" in names


def test_every_model_on_offer_has_modules_or_is_known_to_have_none() -> None:
    unknown = {row.base for row in Catalog.load().models.values() if not row.architecture}
    assert unknown == {
        "deepseek-ai/DeepSeek-V4.1-Flash",
        "deepseek-ai/DeepSeek-V4.1-Flash-1017",
        "moonshotai/Kimi-K3.1-Pro",
    }


def saved(api: Api, base_model: str, rank: int, **parts: bool) -> tuple[str, dict[str, Any]]:
    """A trained model's checkpoint: the model, and the checkpoint as it is listed."""
    model = api.model(base_model=base_model, lora_config={"rank": rank, **parts})
    api.done("forward_backward", training_step(model, 1))
    api.done("optim_step", update(model, 2))
    api.done("save_weights", {"model_id": model, "seq_id": 3, "path": "a"})
    return model, api.get(f"training_runs/{model}/checkpoints").json()["checkpoints"][0]


def link(api: Api, model: str) -> str:
    path = f"training_runs/{model}/checkpoints/weights/a/archive"
    return str(api.get(path).headers["location"])


def test_an_archive_of_hundreds_of_megabytes_costs_no_memory(tinker_mock: RunningServer) -> None:
    api = Api(tinker_mock, "tml-large")
    with api.http:
        model, listed = saved(api, "Qwen/Qwen3-8B", 32)
        received = 0
        tracemalloc.start()
        with httpx.stream("GET", link(api, model), timeout=60) as answer:
            promised = int(answer.headers["content-length"])
            for piece in answer.iter_bytes():
                received += len(piece)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    parameters = 32 * sum(MEASURED["Qwen/Qwen3-8B"])
    assert received == promised
    assert 0 < received - 4 * parameters < 300_000
    assert abs(listed["size_bytes"] - received) < 10_000
    assert peak < 32e6


def test_what_is_in_an_archive(tinker_mock: RunningServer) -> None:
    api = Api(tinker_mock, "tml-contents")
    with api.http:
        model, listed = saved(api, "Qwen/Qwen3.5-4B", 1)
        content = httpx.get(link(api, model), timeout=60).content
        assert content == httpx.get(link(api, model), timeout=60).content
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        files = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    assert sum(map(len, files.values())) == listed["size_bytes"]
    config = json.loads(files["adapter_config.json"])
    assert (config["r"], config["lora_alpha"], config["target_modules"]) == (1, 32, "all-linear")
    assert config["base_model_name_or_path"] == "Qwen/Qwen3.5-4B"
    from safetensors.numpy import load

    tensors = load(files["adapter_model.safetensors"])
    assert len(tensors) == 498
    assert {str(array.dtype) for array in tensors.values()} == {"float32"}
    name = "base_model.model.model.layers.3.self_attn.q_proj.lora_B.weight"
    assert tensors[name].shape == (8192, 1)
    assert not any(array.any() for array in tensors.values())
    assert "steps" in read_state(files[STATE_FILE])


def test_parts_that_are_not_trained_are_not_in_it(tinker_mock: RunningServer) -> None:
    api = Api(tinker_mock, "tml-parts")
    with api.http:
        model, _ = saved(api, "Qwen/Qwen3-8B", 1, train_mlp=False, train_unembed=False)
        content = httpx.get(link(api, model), timeout=60).content
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        config = json.loads(tar.extractfile("adapter_config.json").read())  # type: ignore[union-attr]
    assert config["target_modules"] == ["k_proj", "o_proj", "q_proj", "v_proj"]


def test_experts_share_a_side_as_in_the_services_archives() -> None:
    modules = {
        module.name: module.shapes(8)
        for module in lora_modules(Catalog.load().get("Qwen/Qwen3-30B-A3B").architecture)
    }
    assert modules["layers.0.mlp.experts.w1"] == ((1, 8, 2048), (128, 768, 8))
    assert modules["layers.0.mlp.experts.w2"] == ((128, 8, 768), (1, 2048, 8))


@pytest.mark.tinker_mock(adapter_shapes="compact")
def test_compact_archives_are_small(tinker_mock: RunningServer) -> None:
    api = Api(tinker_mock, "tml-compact")
    with api.http:
        model, listed = saved(api, "Qwen/Qwen3-8B", 32)
        content = httpx.get(link(api, model), timeout=60).content
    assert len(content) < 100_000
    assert listed["size_bytes"] < len(content)


def test_storage_is_counted_in_the_sizes_of_the_listing(tinker_mock: RunningServer) -> None:
    api = Api(tinker_mock, "tml-storage")
    with api.http:
        _, listed = saved(api, "openai/gpt-oss-20b", 32)
        told = api.get("billing/usage/checkpoints/current").json()
    assert listed["size_bytes"] > 4 * 32 * sum(MEASURED["openai/gpt-oss-20b"])
    assert np.isclose(told["data"][0]["size_bytes"], listed["size_bytes"])


def test_sampler_weights_are_archived_too(tinker_mock: RunningServer) -> None:
    api = Api(tinker_mock, "tml-sampler")
    with api.http:
        session = api.session()
        model = api.model(session)
        made = {"model_id": model, "seq_id": 1, "path": "s"}
        path = api.done("save_weights_for_sampler", made)["path"]
        assert api.done("asample", sample(api.sampler(session, 0, model_path=path), 0))
        answer = api.get(f"training_runs/{model}/checkpoints/sampler_weights/s/archive")
        with httpx.stream("GET", answer.headers["location"], timeout=60) as stream:
            assert int(stream.headers["content-length"]) > 4 * 8 * sum(MEASURED["Qwen/Qwen3-8B"])


@pytest.mark.parametrize(
    ("asked", "first", "behind"),
    [
        ("bytes=5000-", 5000, None),
        ("bytes=0-0", 0, 1),
        ("bytes=2000000-2000999", 2_000_000, 2_001_000),
    ],
)
def test_a_cut_download_goes_on(
    tinker_mock: RunningServer, asked: str, first: int, behind: int | None
) -> None:
    api = Api(tinker_mock, "tml-range")
    with api.http:
        model, _ = saved(api, "Qwen/Qwen3.5-4B", 1)
        url = link(api, model)
        whole = httpx.get(url, timeout=60).content
        rest = httpx.get(url, headers={"Range": asked}, timeout=60)
    assert rest.status_code == 206
    assert rest.content == whole[first:behind]
    last = (behind or len(whole)) - 1
    assert rest.headers["content-range"] == f"bytes {first}-{last}/{len(whole)}"


@pytest.mark.parametrize("asked", ["bytes=-5", "bytes=0-1,4-5", "lines=1-2", "bytes=999999999999-"])
def test_other_ranges_give_the_whole_file(tinker_mock: RunningServer, asked: str) -> None:
    api = Api(tinker_mock, "tml-range")
    with api.http:
        model, _ = saved(api, "Qwen/Qwen3.5-4B", 1)
        answer = httpx.get(link(api, model), headers={"Range": asked}, timeout=60)
    assert answer.status_code == 200
    assert len(answer.content) == int(answer.headers["content-length"])
