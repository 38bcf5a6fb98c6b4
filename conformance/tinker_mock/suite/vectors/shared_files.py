"""Where vectors find tokenizer data: TINKER_MOCK_TOKENIZERS, by default beside the repository."""

import os
from pathlib import Path

from tinker_mock.contracts.locations import ROOT


def tokenizer_file(*parts: str) -> Path:
    """A file or directory of the shared tokenizers; FileNotFoundError names what to set."""
    default = ROOT.parent / "shared" / "tokenizers"
    root = Path(os.environ.get("TINKER_MOCK_TOKENIZERS") or default)
    path = root.joinpath(*parts)
    if not path.exists():
        raise FileNotFoundError(f"{path} (TINKER_MOCK_TOKENIZERS names the directory)")
    return path
