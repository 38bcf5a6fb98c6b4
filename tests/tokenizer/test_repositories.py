"""All files of a model's directory are read, with transformers' outcome."""

import json
import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.tokenizer.texts import FIXTURES
from tinker_mock.tokenizer import TokenizerError, load_tokenizer

BASE = FIXTURES / "bytelevel_small"
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<new>", "<tool>", "[X]"]
TEMPLATE = (
    "{{ bos_token }}|{{ eos_token }}|{{ unk_token }}|{{ pad_token }}|{{ image_token }}|"
    "{% for m in messages %}{{ m.content }}{% endfor %}"
)
USER = [{"role": "user", "content": "hi"}]


def directory(path: Path, **files: Any) -> Path:
    path.mkdir(parents=True)
    shutil.copy(BASE / "tokenizer.json", path)
    for name, content in files.items():
        target = path / name.replace("__", "/").replace("_DOT_", ".")
        target.parent.mkdir(exist_ok=True)
        target.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def transformers_tokenizer(path: Path) -> Any:
    transformers = pytest.importorskip("transformers")
    return transformers.PreTrainedTokenizerFast.from_pretrained(str(path))


def token(rng: random.Random, text: str) -> Any:
    """A token as files write it: its text, or an object."""
    flags = {"lstrip": False, "rstrip": False, "single_word": False, "normalized": False}
    return rng.choice([text, {"content": text, **flags}])


def row(rng: random.Random, text: str) -> dict[str, Any]:
    flags = {name: rng.random() < 0.2 for name in ("lstrip", "rstrip", "single_word")}
    return {"content": text, "special": rng.random() < 0.5, "normalized": False, **flags}


def configuration(rng: random.Random) -> dict[str, Any]:
    found: dict[str, Any] = {"chat_template": TEMPLATE}
    for role in ("bos_token", "eos_token", "unk_token", "pad_token"):
        if rng.random() < 0.4:
            text = rng.choice(SPECIALS)
            found[role] = rng.choice([text, {**row(rng, text), "__type": "AddedToken"}])
    if rng.random() < 0.4:
        texts = rng.sample(SPECIALS, 3)
        found["added_tokens_decoder"] = {
            str(700 + 9 * at): row(rng, t) for at, t in enumerate(texts)
        }
    if rng.random() < 0.3:
        found["additional_special_tokens"] = rng.sample(SPECIALS, 2)
    if rng.random() < 0.3:
        found["extra_special_tokens"] = rng.choice([["[X]"], {"image_token": "<img>"}])
    return found


def special_map(rng: random.Random) -> dict[str, Any]:
    roles = rng.sample(["bos_token", "eos_token", "unk_token", "pad_token"], 2)
    found: dict[str, Any] = {role: token(rng, rng.choice(SPECIALS)) for role in roles}
    if rng.random() < 0.3:
        found["additional_special_tokens"] = ["<tool>"]
    return found


def files(rng: random.Random) -> dict[str, Any]:
    """What lies beside a tokenizer.json."""
    found: dict[str, Any] = {"tokenizer_config_DOT_json": configuration(rng)}
    if rng.random() < 0.5:
        found["special_tokens_map_DOT_json"] = special_map(rng)
    if rng.random() < 0.4:
        found["added_tokens_DOT_json"] = {"<new>": 650, "[X]": 651}
    return found


@pytest.mark.parametrize("seed", range(60))
def test_special_tokens_come_from_wherever_transformers_reads_them(
    tmp_path: Path, seed: int
) -> None:
    path = directory(tmp_path / "model", **files(random.Random(seed)))
    peer, ours = transformers_tokenizer(path), load_tokenizer(path)
    for text in ("a<new>b", " <tool> c[X]", "<|im_end|>x <img>", "plain", "<new><tool>[X]"):
        assert ours.encode(text) == peer.encode(text, add_special_tokens=False), text
        ids = ours.encode(text)
        skipped = peer.decode(ids, skip_special_tokens=True)
        assert ours.decode(ids, skip_special_tokens=True) == skipped
    assert ours.apply_chat_template(USER) == peer.apply_chat_template(USER, tokenize=False)


TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
LAYOUTS: dict[str, dict[str, Any]] = {
    "the configuration": {"tokenizer_config_DOT_json": {"chat_template": "C"}},
    "a file beside it": {
        "tokenizer_config_DOT_json": {"chat_template": "C"},
        "chat_template_DOT_jinja": "J",
    },
    "a stray file": {
        "tokenizer_config_DOT_json": {"chat_template": "C"},
        "my_tools_DOT_jinja": "STRAY",
    },
    "named rows": {
        "tokenizer_config_DOT_json": {
            "chat_template": [
                {"name": "default", "template": "D{{ tools is none }}"},
                {"name": "tool_use", "template": "T"},
                {"name": "rag", "template": "R"},
            ]
        }
    },
    "a folder of more": {
        "tokenizer_config_DOT_json": {"chat_template": "C"},
        "chat_template_DOT_jinja": "J",
        "additional_chat_templates__tool_use_DOT_jinja": "TF",
        "additional_chat_templates__rag_DOT_jinja": "RF",
    },
    "a folder alone": {
        "tokenizer_config_DOT_json": {"chat_template": "C"},
        "additional_chat_templates__rag_DOT_jinja": "RF",
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "asked", [{}, {"tools": TOOLS}, {"tools": []}, {"chat_template": "rag"}], ids=str
)
def test_templates_are_found_with_transformers_precedence(
    tmp_path: Path, layout: str, asked: dict[str, Any]
) -> None:
    path = directory(tmp_path / "model", **LAYOUTS[layout])
    peer, ours = transformers_tokenizer(path), load_tokenizer(path)
    try:
        theirs = peer.apply_chat_template(USER, tokenize=False, **asked)
    except ValueError:
        with pytest.raises(TokenizerError):
            ours.apply_chat_template(USER, **asked)
        return
    assert ours.apply_chat_template(USER, **asked) == theirs


def test_roles_go_by_common_names_where_no_file_says(tmp_path: Path) -> None:
    found = load_tokenizer(FIXTURES / "fallback_small").special_tokens
    assert (found.bos, found.eos, found.unk) == ("<s>", "</s>", "<unk>")
    path = directory(tmp_path / "model", tokenizer_config_DOT_json={})
    (path / "tokenizer_config.json").write_text('{"bos_token": null, "pad_token": "[X]"}')
    said = load_tokenizer(path).special_tokens
    assert (said.bos, said.eos, said.pad) == (None, None, "[X]")


def byte_pair_files(path: Path, **configuration: Any) -> Path:
    model = json.loads((BASE / "tokenizer.json").read_text())["model"]
    path.mkdir()
    (path / "vocab.json").write_text(json.dumps(model["vocab"]))
    merges = [" ".join(pair) if isinstance(pair, list) else pair for pair in model["merges"]]
    (path / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges))
    (path / "tokenizer_config.json").write_text(json.dumps(configuration))
    return path


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("GPT2Tokenizer", {}),
        ("GPT2TokenizerFast", {"add_prefix_space": True}),
        ("Qwen2Tokenizer", {"eos_token": "<|im_end|>"}),
    ],
)
def test_vocab_json_with_merges_txt_is_a_tokenizer(
    tmp_path: Path, kind: str, more: dict[str, Any]
) -> None:
    transformers = pytest.importorskip("transformers")
    path = byte_pair_files(tmp_path / "model", tokenizer_class=kind, **more)
    peer = getattr(transformers, kind.removesuffix("Fast")).from_pretrained(str(path))
    ours = load_tokenizer(path)
    for text in ("hello world", "x = 12345\n\n  y", "世界 é", " a", "don't"):
        assert ours.encode(text) == peer.encode(text, add_special_tokens=False), text


def test_files_of_an_unknown_class_are_refused_by_name(tmp_path: Path) -> None:
    path = byte_pair_files(tmp_path / "model", tokenizer_class="CLIPTokenizer")
    with pytest.raises(TokenizerError, match="CLIPTokenizer, whose splitting is not known"):
        load_tokenizer(path)


def test_broken_files_are_named(tmp_path: Path) -> None:
    rows = {"7": {"special": True}}
    path = directory(tmp_path / "a", tokenizer_config_DOT_json={"added_tokens_decoder": rows})
    with pytest.raises(TokenizerError, match="added_tokens_decoder"):
        load_tokenizer(path)
    path = directory(tmp_path / "b", special_tokens_map_DOT_json="{oops")
    with pytest.raises(TokenizerError, match=r"special_tokens_map\.json is not JSON"):
        load_tokenizer(path)


class TestLaterFiles:
    def test_a_file_that_arrives_later_is_seen(self, tmp_path: Path) -> None:
        path = directory(tmp_path / "model", tokenizer_config_DOT_json={"chat_template": "C"})
        assert load_tokenizer(path).apply_chat_template(USER) == "C"
        single = load_tokenizer(path / "tokenizer.json")
        (path / "chat_template.jinja").write_text("J")
        assert load_tokenizer(path).apply_chat_template(USER) == "J"
        assert load_tokenizer(path / "tokenizer.json") is not single
        (path / "additional_chat_templates").mkdir()
        (path / "additional_chat_templates" / "rag.jinja").write_text("R")
        assert load_tokenizer(path).apply_chat_template(USER, chat_template="rag") == "R"

    def test_a_file_of_equal_size_and_time_that_was_replaced_is_seen(self, tmp_path: Path) -> None:
        path = directory(tmp_path / "model", chat_template_DOT_jinja="one")
        before = (path / "chat_template.jinja").stat()
        assert load_tokenizer(path).apply_chat_template(USER) == "one"
        (path / "chat_template.jinja").write_text("two")
        os.utime(path / "chat_template.jinja", ns=(before.st_atime_ns, before.st_mtime_ns))
        assert load_tokenizer(path).apply_chat_template(USER) == "two"


class TestHalfDownloads:
    REPO = "moonshotai/Kimi-K2.5"

    def put(self, cache: Path, revision: str, *names: str, ref: str = "main") -> Path:
        root = cache / f"models--{self.REPO.replace('/', '--')}"
        snapshot = root / "snapshots" / revision
        snapshot.mkdir(parents=True, exist_ok=True)
        for name in names:
            shutil.copy(FIXTURES / "kimi_small" / name, snapshot / name)
        (root / "refs").mkdir(exist_ok=True)
        (root / "refs" / ref).write_text(revision)
        return snapshot

    def test_a_download_that_broke_off_is_refused_until_it_is_complete(
        self, tmp_path: Path
    ) -> None:
        self.put(tmp_path, "a" * 40, "tiktoken.model")
        with pytest.raises(TokenizerError, match=r"no tokenizer_config\.json") as caught:
            load_tokenizer(self.REPO, cache_dir=str(tmp_path), offline=True)
        assert caught.value.code == "incomplete"
        self.put(tmp_path, "a" * 40, "tokenizer_config.json")
        tokenizer = load_tokenizer(self.REPO, cache_dir=str(tmp_path), offline=True)
        own = load_tokenizer(FIXTURES / "kimi_small")
        assert tokenizer.special_tokens.ids == own.special_tokens.ids

    def test_a_newer_commit_is_another_tokenizer(self, tmp_path: Path) -> None:
        names = ("tiktoken.model", "tokenizer_config.json")
        self.put(tmp_path, "a" * 40, *names)
        first = load_tokenizer(self.REPO, cache_dir=tmp_path, offline=True)
        assert load_tokenizer(self.REPO, cache_dir=tmp_path, offline=True) is first
        self.put(tmp_path, "b" * 40, *names)
        assert load_tokenizer(self.REPO, cache_dir=tmp_path, offline=True) is not first

    def test_main_is_not_taken_for_a_pinned_commit(self, tmp_path: Path) -> None:
        self.REPO = "moonshotai/Kimi-K2-Thinking"
        self.put(tmp_path, "a" * 40, "tiktoken.model", "tokenizer_config.json")
        with pytest.raises(TokenizerError, match=r'pinned to commit 61.*revision="main"'):
            load_tokenizer(self.REPO, cache_dir=tmp_path, offline=True)
        found = load_tokenizer(self.REPO, cache_dir=tmp_path, offline=True, revision="main")
        assert found.vocab_size == 856


def test_options_that_do_not_exist_are_refused() -> None:
    with pytest.raises(TokenizerError, match="did you mean cache_dir"):
        load_tokenizer("mock", cachedir="x")


def written(**flags: bool) -> dict[str, Any]:
    return {"content": "<new>", "normalized": False, "__type": "AddedToken", **flags}


WAYS = ["<new>", written(special=True, rstrip=True), written(special=False, lstrip=True)]


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 1), (2, 1, 0), (1, 2, 2), (2, 0, 0)])
@pytest.mark.parametrize("extra", [None, 0, 1])
def test_a_token_that_files_write_in_several_ways(
    tmp_path: Path, order: tuple[int, ...], extra: int | None
) -> None:
    told: dict[str, Any] = {"chat_template": TEMPLATE}
    for role, way in zip(("pad_token", "bos_token", "unk_token"), order, strict=True):
        told[role] = WAYS[way]
    if extra is not None:
        told["additional_special_tokens"] = [WAYS[extra]]
    path = directory(tmp_path / "model", tokenizer_config_DOT_json=told)
    peer, ours = transformers_tokenizer(path), load_tokenizer(path)
    text = " a <new> b<new>  "
    assert ours.encode(text) == peer.encode(text, add_special_tokens=False)
