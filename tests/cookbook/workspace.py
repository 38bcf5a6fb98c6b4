"""The directory that the recipes run in, and the environment they see."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from tinker_mock.server.tokenizers import SHIPPED, tokenizer_directory

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SOURCE = "tinker_cookbook-0.6.1"
INKLING = "thinkingmachines/Inkling-Small"
QWEN = "Qwen/Qwen3-8B-Base"
SMALL = "tests/bytelevel-small"
TINY = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "head_dim": 8,
    "num_key_value_heads": 2, "intermediate_size": 48, "vocab_size": 64,
}  # fmt: skip
EXPERTS = {"moe_intermediate_size": 16, "num_experts": 4, "num_experts_per_tok": 2}
ARCHITECTURES = {
    "tests/tiny-llama": {"model_type": "llama", **TINY},
    "tests/tiny-qwen3": {"model_type": "qwen3", **TINY},
    "tests/tiny-qwen3-moe": {"model_type": "qwen3_moe", **TINY, **EXPERTS},
}
"""Models small enough to be made here, whose weights are downloaded and merged."""


@dataclass(frozen=True)
class Workspace:
    """`source` is the cookbook's unpacked source package: its wheel leaves the scripts out."""

    folder: Path
    python: Path
    source: Path
    qwen: bool

    @property
    def text_model(self) -> str:
        """A model whose tokenizer is here: Qwen3 from files, else the one in tml-renderers."""
        return QWEN if self.qwen else INKLING

    @property
    def served_model(self) -> str:
        """A model whose tokenizer the server names as a local folder."""
        return QWEN if self.qwen else SMALL

    @property
    def models_file(self) -> Path:
        return self.folder / "models.yaml"

    def environment(self, address: str) -> dict[str, str]:
        """What a recipe's process sees: the mock's address, no hub, no telemetry to anyone else."""
        kept = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "TMPDIR")}
        return {
            **kept,
            "TINKER_BASE_URL": address,
            "TINKER_API_KEY": "tml-cookbook",
            "HF_HOME": str(self.folder / "hub"),
            "HF_HUB_OFFLINE": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "WANDB_MODE": "disabled",
            "PYTHONPATH": str(HERE / "site"),
            "COOKBOOK_PAGE": str(Path(__file__)),
            "OMP_NUM_THREADS": "1",
        }


def prepare(folder: Path, python: Path) -> Workspace:
    """Make the data, the tokenizer folder and the model list."""
    from data import make

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    make(folder)
    qwen = tokenizer_directory() / "qwen3"
    found = (qwen / "tokenizer.json").exists()
    if found:
        _tokenizer_folder(qwen, folder / QWEN)
    _tokenizer_folder(SHIPPED / "bytelevel_small", folder / SMALL)
    workspace = Workspace(folder, python, python.parents[1] / SOURCE, found)
    workspace.models_file.write_text(_models(folder, found))
    return workspace


def _tokenizer_folder(origin: Path, to: Path) -> None:
    to.mkdir(parents=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(origin / name, to / name)
    # Without a config.json transformers asks the hub what kind of model this is.
    (to / "config.json").write_text(json.dumps({"model_type": "qwen3"}))


def _models(folder: Path, qwen: bool) -> str:
    """The SDK's own get_tokenizer() loads what the server names: a local folder works."""
    models = {
        SMALL: {
            "vocabulary_size": 640, "tokenizer_size": 603, "context_length": 32768,
            "end_tokens": [602], "special_tokens": [600, 602], "chat": False,
        },
        QWEN: {
            "arch": "qwen3", "vocabulary_size": 151936, "tokenizer_size": 151669,
            "context_length": 32768, "end_tokens": [151643],
            "special_tokens": [151643, 151668], "chat": False,
        },
    }  # fmt: skip
    offered = [SMALL, QWEN] if qwen else [SMALL]
    told = {name: {**models[name], "tokenizer_id": str(folder / name)} for name in offered}
    tiny = {"vocabulary_size": 64, "context_length": 128, "end_tokens": [1], "chat": False}
    made = {name: {**tiny, "architecture": sizes} for name, sizes in ARCHITECTURES.items()}
    # Without its architecture: an archive of the real size has 8 GB.
    inkling = {INKLING: {"family": "inkling", "images": True, "audio": True}}
    return json.dumps({"models": {**told, **made, **inkling}})
