"""Tokenizers taken out of tml-renderers: kept as files, found, and given on to clients."""

import json
import os
import sys
from pathlib import Path

import pytest
from tokenizers import Tokenizer as Backend

from tests.server.scripts.test_unread_prompts import QWEN, needs_qwen, told_by
from tinker_mock.cli import main
from tinker_mock.server.catalog import Catalog
from tinker_mock.server.own_tokenizers import TAKEN, kind_of, own_folder
from tinker_mock.server.stand_in.hub_cache import install
from tinker_mock.server.tokenizers import folder_of, own_tokenizer, tokenizer_for

CATALOG = Catalog.load()
MODEL = CATALOG.get("Qwen/Qwen3-8B")


@pytest.fixture(autouse=True)
def nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TINKER_MOCK_CACHE", "TINKER_MOCK_TOKENIZERS", "HF_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))


def interpreter(folder: Path, *, wrong: bool = False) -> Path:
    """What answers like an interpreter with tml-renderers, out of Qwen3's published file."""
    published = json.loads((QWEN / "tokenizer.json").read_text("utf-8"))
    told = {**told_by(published), "bos": None, "eos": "<|im_end|>"}
    (folder / "told.json").write_text(json.dumps(told))
    script = folder / "python"
    script.write_text(
        f"#!{sys.executable}\n"
        "import json, sys\n"
        "from tokenizers import Tokenizer\n"
        f"told = json.load(open({str(folder / 'told.json')!r}))\n"
        f"backend = Tokenizer.from_file({str(QWEN / 'tokenizer.json')!r})\n"
        "samples = [[t, backend.encode(t, add_special_tokens=False).ids]"
        " for t in json.load(sys.stdin)]\n"
        f"samples[-1][1] += [0] * {int(wrong)}\n"
        "assert sys.argv[2] == 'Qwen3Tokenizer'\n"
        "json.dump({**told, 'samples': samples}, sys.stdout)\n"
    )
    os.chmod(script, 0o755)
    return script


@needs_qwen
def test_what_was_taken_is_the_models_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert own_tokenizer(MODEL) is None
    python = str(interpreter(tmp_path))
    assert main(["tokenizers", "take", MODEL.name, "--python", python]) == 0
    folder = own_folder(MODEL)
    assert folder is not None
    assert str(folder) in capsys.readouterr().out
    found = own_tokenizer(MODEL)
    assert found is not None
    assert found is tokenizer_for(MODEL)
    peer = Backend.from_file(str(QWEN / "tokenizer.json"))
    text = "<|im_start|>user\nWhat is 2+2? é漢\n<think>"
    ids = peer.encode(text, add_special_tokens=False).ids
    assert found.encode(text) == ids
    assert found.decode(ids) == text
    assert found.special_tokens.eos == "<|im_end|>"
    assert folder_of(MODEL) == str(folder.resolve()), "clients load the same"
    main(["tokenizers", "install", MODEL.name, "--hf-home", str(tmp_path / "hf")])
    (snapshot, *_) = (tmp_path / "hf/hub/models--Qwen--Qwen3-8B/snapshots").iterdir()
    assert (snapshot / TAKEN).is_file()
    given = Backend.from_file(str(snapshot / "tokenizer.json"))
    assert given.encode(text, add_special_tokens=False).ids == ids
    assert install(tmp_path / "hf", [MODEL]) == 1, "what was installed is renewed"


@needs_qwen
def test_what_cuts_otherwise_is_not_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    python = str(interpreter(tmp_path, wrong=True))
    assert main(["tokenizers", "take", MODEL.name, "--python", python]) == 2
    assert "otherwise than tml-renderers" in capsys.readouterr().err
    assert own_folder(MODEL) is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["Qwen/Qwen3-8B", "--python", "/no/such/python"], "No such file"),
        (["moonshotai/Kimi-K3.1-Pro"], "has the tokenizer of none of these models"),
        (["no/such"], "unknown base model"),
    ],
)
def test_why_nothing_is_taken(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tokenizers", "take", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_every_family_has_its_kind_or_is_named_as_without() -> None:
    without = {model.name.partition(":")[0] for model in CATALOG.models.values()
               if kind_of(model) is None}  # fmt: skip
    named = ("moonshotai/Kimi-K3", "thinkingmachines/Inkling-2", "meta-llama/")
    assert {name for name in without if not name.startswith(named)} == set()
    sizes = {}
    for model in CATALOG.models.values():
        kind = kind_of(model)
        if kind is not None:
            assert sizes.setdefault(kind, model.tokenizer_size) == model.tokenizer_size
