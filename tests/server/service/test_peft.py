"""PEFT itself loads a checkpoint's archive on a model of the base's architecture.

Experts and unembedding have names of their own in the service's archives: tinker-cookbook's
`build_lora_adapter` gives them PEFT's (`make cookbook RUNS=download`).
"""

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.server.conftest import Api, training_step
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch peft")
peft = pytest.importorskip("peft", reason="peft is not installed: pip install torch peft")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")

pytestmark = pytest.mark.filterwarnings("ignore")  # of those libraries among themselves

COMMON = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "intermediate_size": 48,
    "vocab_size": 64,
}
TINY: dict[str, dict[str, Any]] = {
    "qwen3": COMMON,
    "llama": COMMON,
    "qwen3_moe": {
        **COMMON,
        "moe_intermediate_size": 16,
        "num_experts": 4,
        "num_experts_per_tok": 2,
    },
}


def archive_of(folder: Path, name: str, rank: int) -> Path:
    """An adapter trained on a tiny model of that architecture, unpacked."""
    models = folder / "models.yaml"
    sizes = ", ".join(f"{key}: {value}" for key, value in TINY[name].items())
    models.write_text(
        f"models:\n  tiny/{name}:\n    vocabulary_size: 64\n    context_length: 128\n"
        f"    end_tokens: [1]\n    architecture: {{model_type: {name}, {sizes}}}\n"
    )
    with RunningServer(Settings(port=0, models=models)) as server:
        api = Api(server, "tml-peft")
        with api.http:
            model = api.model(base_model=f"tiny/{name}", lora_config={"rank": rank})
            datum = {
                "model_input": {"chunks": [{"tokens": [2, 3, 4]}]},
                "loss_fn_inputs": {"target_tokens": {"data": [3, 4, 5], "dtype": "int64"}},
            }
            api.done("forward_backward", training_step(model, 1, datum))
            api.done("save_weights", {"model_id": model, "seq_id": 2, "path": "a"})
            found = api.http.get(
                f"/api/v1/training_runs/{model}/checkpoints/weights/a/archive",
                follow_redirects=True,
            )
    with tarfile.open(fileobj=io.BytesIO(found.content)) as tar:
        tar.extractall(folder / "adapter", filter="data")
    return folder / "adapter"


@pytest.mark.parametrize("name", TINY)
def test_an_archive_loads_and_leaves_the_model_as_it_is(name: str, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    adapter = archive_of(tmp_path, name, rank=4)
    config = transformers.CONFIG_MAPPING[name](**TINY[name])
    torch.manual_seed(0)
    base = transformers.AutoModelForCausalLM.from_config(config)
    tokens = torch.arange(2, 12)[None]
    with torch.no_grad():
        before = base(tokens).logits
        loaded = peft.PeftModel.from_pretrained(base, str(adapter))
        after = loaded(tokens).logits
    assert torch.equal(before, after)
    held = {key.replace(".default", ""): value for key, value in loaded.state_dict().items()}
    told = load_file(adapter / "adapter_model.safetensors")
    direct = {k: v for k, v in told.items() if "experts" not in k and "unembed" not in k}
    assert set(direct) <= set(held)
    for key, value in direct.items():
        assert torch.equal(held[key], value)  # not PEFT's random start
    merged = loaded.merge_and_unload()
    with torch.no_grad():
        assert torch.equal(merged(tokens).logits, before)
