"""Train on a tiny model, download, convert and merge with the cookbook's own tools.

    merging.py FOLDER MODEL CONFIG     (CONFIG: the architecture's sizes as JSON)
Prints one line of JSON. The base model is made here, at random, with the sizes the server was told.
"""

import json
import sys
from pathlib import Path

import tinker
import torch
from safetensors.torch import load_file
from tinker import types
from tinker_cookbook import weights
from transformers import AutoConfig, AutoModelForCausalLM


def trained(model: str) -> str:
    """The path of a trained checkpoint."""
    training = tinker.ServiceClient().create_lora_training_client(base_model=model, rank=8)
    datum = types.Datum(
        model_input=types.ModelInput.from_ints([5, 6, 7]),
        loss_fn_inputs={"target_tokens": [6, 7, 8], "weights": [1.0, 1.0, 1.0]},
    )
    training.forward_backward([datum], "cross_entropy").result()
    training.optim_step(types.AdamParams(learning_rate=1e-3)).result()
    return training.save_state("merged").result().path


def logits(folder: Path) -> torch.Tensor:
    """What the model in a folder says to some tokens."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.no_grad():
        return model(torch.arange(2, 12)[None]).logits


def main() -> None:
    folder, name, sizes = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
    base, adapter, merged = folder / "base", folder / "adapter", folder / "merged"
    torch.manual_seed(0)
    config = AutoConfig.for_model(**sizes)
    AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(base)
    raw = weights.download(tinker_path=trained(name), output_dir=str(folder / "raw"))
    where = {"base_model": str(base), "adapter_path": raw}
    weights.build_lora_adapter(**where, output_path=str(adapter))
    weights.build_hf_model(**where, output_path=str(merged), dtype="float32")
    told = {
        "tensors": len(load_file(Path(raw) / "adapter_model.safetensors")),
        "converted": len(load_file(adapter / "adapter_model.safetensors")),
        "modules": json.loads((adapter / "adapter_config.json").read_text())["target_modules"],
        "same": bool(torch.equal(logits(base), logits(merged))),
    }
    print(json.dumps(told))


main()
