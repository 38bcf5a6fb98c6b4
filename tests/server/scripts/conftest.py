"""A machine without any tokenizer of its own."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def nothing_here(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Only stand-ins; their files are shared by the tests of a run."""
    kept = tmp_path_factory.getbasetemp() / "stand-ins"
    monkeypatch.setenv("TINKER_MOCK_CACHE", str(kept))
    monkeypatch.setenv("TINKER_MOCK_TOKENIZERS", str(kept / "none"))
    monkeypatch.setenv("HF_HOME", str(kept / "hub"))
    return kept
