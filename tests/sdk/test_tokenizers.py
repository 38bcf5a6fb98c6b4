"""With no tokenizer on the machine and no network, SDKs load the stand-ins the server names."""

from pathlib import Path

import pytest

from tests.sdk.running import run_script
from tinker_mock.server.catalog import Catalog
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings
from tinker_mock.server.stand_in.hub_cache import install


@pytest.mark.parametrize("version", ["0.24.1", "0.38.0"])
def test_a_tokenizer_is_always_there(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TINKER_MOCK_CACHE", "TINKER_MOCK_TOKENIZERS", "HF_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    catalog = Catalog.load()
    models = [catalog.get(name) for name in ("Qwen/Qwen3-8B", "openai/gpt-oss-20b")]
    install(tmp_path / "HF_HOME", models)
    with RunningServer(Settings(port=0)) as server:
        seen = run_script(version, "tokenizer_script.py", server.url)
    for model in models:
        told = seen[model.name]
        assert told["round"] == "Hello there.\n\nassistant"
        assert told["same"], "sampling_client.get_tokenizer() goes by the model's name"
        assert told["size"] == model.tokenizer_size > told["most"]
        assert told["seconds"] < 10, "no waiting for a network"
        assert "e" in told["text"], "a stop string ends the sample"
        assert "e" not in told["before"]
    assert seen["Qwen/Qwen3-8B"]["chat"].endswith("<|im_start|>assistant\n")
