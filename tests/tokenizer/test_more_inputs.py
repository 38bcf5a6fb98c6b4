"""Further inputs of the kinds that real repositories, callers and texts have shown."""

import unicodedata
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer as Backend

from tests.tokenizer.test_repositories import USER, directory, transformers_tokenizer
from tests.tokenizer.texts import FIXTURES, shared_path
from tinker_mock.tokenizer import ChatTemplate, TokenizerError, content_format, load_tokenizer

LONG = {
    "one space too many": " " * 1_000_001,
    "spaces inside code": "x = 1" + " " * 999_999 + "y",
    "spaces before a line's end": " " * 1_000_000 + "\n",
    "windows lines": "\r\n" * 400_000,
    "no-break spaces": "\u00a0" * 300_000,
    "zero-width spaces": "\u200b" * 300_000,
    "digits": "7" * 300_000,
    "joined emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467" * 30_000,
    "combined letters": "e\u0301" * 150_000,
}


@pytest.mark.parametrize("name", LONG)
def test_long_texts_of_one_kind_have_their_ids(name: str) -> None:
    text = LONG[name]
    kimi = load_tokenizer(shared_path("kimi_k2"))
    assert kimi.decode(kimi.encode(text)) == text
    qwen = load_tokenizer(shared_path("qwen3"))
    peer = Backend.from_file(str(shared_path("qwen3") / "tokenizer.json"))
    ids = qwen.encode(text)
    assert ids == peer.encode(text, add_special_tokens=False).ids
    assert qwen.decode(ids) == unicodedata.normalize("NFC", text)


MESSAGE = "{% for m in messages %}"
END = "{% endfor %}"
PARTS_OF = "{% for p in m.content %}{{ p.text }}{% endfor %}"
FORMATS = [
    (f"{MESSAGE}{{{{ m['content'] | trim }}}}{END}", "string"),
    (f"{MESSAGE}{PARTS_OF}{END}", "openai"),
    (f"{MESSAGE}{{{{ m.content[0].text }}}}{END}", "openai"),
    (
        f"{MESSAGE}{{% if m.content is sequence and m.content is not string %}}{PARTS_OF}"
        f"{{% else %}}{{{{ m.content }}}}{{% endif %}}{END}",
        "openai",
    ),
    (
        "{% macro said(c) %}{% if c is string %}{{ c }}{% else %}{% for p in c %}{{ p.text }}"
        f"{{% endfor %}}{{% endif %}}{{% endmacro %}}{MESSAGE}{{{{ said(m.content) }}}}{END}",
        "openai",
    ),
    # Parts would be dropped, or written as data.
    (f"{MESSAGE}{{% if m.content is string %}}{{{{ m.content }}}}{{% endif %}}{END}", "string"),
    (f"{MESSAGE}{{% if m.content | length > 0 %}}{{{{ m.content }}}}{{% endif %}}{END}", "string"),
    (
        f"{MESSAGE}{{% if m.content is string %}}{{{{ m.content }}}}{{% else %}}"
        f"{{{{ m.content | tojson }}}}{{% endif %}}{END}",
        "string",
    ),
    (
        f"{MESSAGE}{{% if m.content is string %}}{{{{ m.content }}}}{{% else %}}{{% for p in "
        "m.content %}{% if p.type == 'image' %}<img>{% endif %}{% endfor %}{% endif %}" + END,
        "string",
    ),
]


@pytest.mark.parametrize(("source", "wanted"), FORMATS)
def test_the_format_told_is_one_that_loses_nothing(source: str, wanted: str) -> None:
    assert content_format(source) == wanted
    content: Any = "MARK" if wanted == "string" else [{"type": "text", "text": "MARK"}]
    assert ChatTemplate(source).render([{"role": "user", "content": content}]) == "MARK"


CALLED = {"chat_template": "C{{ bos_token }}"}
REPOSITORIES: dict[str, dict[str, Any]] = {
    "roles that are null": {"tokenizer_config_DOT_json": {**CALLED, "bos_token": None}},
    "a token beyond the vocabulary": {
        "tokenizer_config_DOT_json": CALLED,
        "added_tokens_DOT_json": {"<x>": 900},
    },
    "a map alone": {
        "special_tokens_map_DOT_json": {
            "bos_token": "<|im_end|>",
            "additional_special_tokens": ["<x>", "[B]"],
        },
        "tokenizer_config_DOT_json": CALLED,
    },
    "a map against the configuration": {
        "special_tokens_map_DOT_json": {"bos_token": "<|im_end|>"},
        "tokenizer_config_DOT_json": {**CALLED, "bos_token": "<x>"},
    },
    "extra tokens by name": {
        "tokenizer_config_DOT_json": {**CALLED, "extra_special_tokens": {"image_token": "<x>"}}
    },
    "a row of an id that is another's": {
        "tokenizer_config_DOT_json": {
            **CALLED,
            "added_tokens_decoder": {"5": {"content": "<x>", "special": True}},
        }
    },
    "a template of two files": {
        "tokenizer_config_DOT_json": CALLED,
        "chat_template_DOT_json": {"chat_template": "J"},
        "chat_template_DOT_jinja": "F",
    },
    "templates of one name": {
        "tokenizer_config_DOT_json": {
            "chat_template": [
                {"name": "default", "template": "A"},
                {"name": "default", "template": "B"},
            ]
        }
    },
    "an empty template": {"tokenizer_config_DOT_json": {"chat_template": ""}},
    "add_bos_token": {
        "tokenizer_config_DOT_json": {**CALLED, "bos_token": "<x>", "add_bos_token": True}
    },
}


@pytest.mark.parametrize("name", REPOSITORIES)
def test_odd_repositories_are_read_as_transformers_reads_them(tmp_path: Path, name: str) -> None:
    path = directory(tmp_path / "model", **REPOSITORIES[name])
    peer, ours = transformers_tokenizer(path), load_tokenizer(path)
    for text in ("<s>a<x>[B]<|im_end|>", "x <x>", "[B][B]"):
        assert ours.encode(text) == peer.encode(text, add_special_tokens=False)
    said = ours.special_tokens
    assert (said.bos, said.pad) == (peer.bos_token, peer.pad_token)
    assert ours.apply_chat_template(USER) == peer.apply_chat_template(USER, tokenize=False)


@pytest.mark.parametrize("name", ["m", "./m", "m/", "m/tokenizer.json", "~/m", "../here/m"])
def test_paths_are_written_in_many_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (here / "m").symlink_to(FIXTURES / "bytelevel_small")
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(here))
    assert load_tokenizer(name).vocab_size == 603


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("https://huggingface.co/Qwen/Qwen3-8B", "is an address"),
        ("hf://Qwen/Qwen3-8B", "is an address"),
        ("", "invalid tokenizer_id"),
        (b"Qwen/Qwen3-8B", "invalid tokenizer_id"),
        ("no-org/no-name", "is not on this machine"),
    ],
)
def test_names_that_are_none_say_so(tmp_path: Path, name: Any, words: str) -> None:
    with pytest.raises(TokenizerError, match=words):
        load_tokenizer(name, offline=True, cache_dir=tmp_path)
