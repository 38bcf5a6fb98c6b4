"""Chat templates: rendered as transformers does, safely, from wherever they lie."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.tokenizer.conversations import CONVERSATIONS, TOOLS
from tests.tokenizer.texts import FIXTURES, shared_path, small
from tinker_mock.tokenizer import ChatTemplate, TokenizerError, content_format, load_tokenizer
from tinker_mock.tokenizer.kimi import NAMED_SLOTS, published_template, sorted_keys
from tinker_mock.tokenizer.template_files import (
    discover_template,
    gateway_form,
    named_templates,
    read_template,
)

USER = [{"role": "user", "content": "Hi"}]


def transformers_render(source: str, given: dict[str, Any], **variables: Any) -> Any:
    """(text, generation spans) by the library's own renderer."""
    from transformers.utils.chat_template_utils import render_jinja_template

    options = {key: value for key, value in given.items() if key != "messages"}
    rendered, spans = render_jinja_template(
        [given["messages"]], chat_template=source, **options, **variables
    )
    return rendered[0], [tuple(span) for span in spans[0]] if spans else []


@pytest.mark.shared
def test_qwen3_renders_thirty_conversations_like_transformers() -> None:
    tokenizer = load_tokenizer(shared_path("qwen3"))
    assert tokenizer.chat_template is not None
    assert sum(given["tools"] is not None for given in CONVERSATIONS) >= 15
    for given in CONVERSATIONS:
        for variables in ({}, {"enable_thinking": False}):
            theirs, _ = transformers_render(tokenizer.chat_template.source, given, **variables)
            assert tokenizer.apply_chat_template(**given, **variables) == theirs


@pytest.mark.shared
def test_qwen3_gives_the_ids_of_transformers_apply_chat_template() -> None:
    from transformers import AutoTokenizer

    directory = shared_path("qwen3")
    tokenizer = load_tokenizer(directory)
    peer = AutoTokenizer.from_pretrained(str(directory))
    for given in CONVERSATIONS:
        options = {key: value for key, value in given.items() if key != "messages"}
        ids = peer.apply_chat_template(given["messages"], **options)["input_ids"]
        assert tokenizer.encode(tokenizer.apply_chat_template(**given)) == ids


@pytest.mark.shared
@pytest.mark.parametrize(("style", "file"), [("thinking", "kimi_k2_thinking"), ("k25", "kimi_k25")])
def test_kimis_prompt_is_the_models_own(style: str, file: str) -> None:
    model = read_template(shared_path("templates") / f"{file}.jinja")
    pictures = [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": "x"}}]
    more = [
        {"messages": [], "tools": TOOLS, "add_generation_prompt": True},
        {"messages": [{"role": "user", "name": "ann", "content": pictures}]},
        {"messages": [{"role": "system", "content": None}, *USER]},
    ]
    for given in [*CONVERSATIONS, *more]:
        for variables in ({}, {"thinking": False}) if style == "k25" else ({},):
            ours = published_template(style).render(**given, **variables)
            assert ours == model.render(**given, **variables)


def loop(body: str) -> str:
    return "{% for m in messages %}" + body + "{% endfor %}"


SOURCES = [
    loop("{{ m.role }}: {{ m.content | trim }}\n"),
    "{{ tools | tojson }}{{ tools | tojson(indent=2) }}",
    "{{ messages | tojson(separators=(',', ':')) }}",
    loop("\n    {%- if loop.index > 2 %}{% break %}{% endif %}\n  {{ m.role }}\n"),
    loop("{% if m.role != 'user' %}{% continue %}{% endif %}{{ m.content }}"),
    "{% set ns = namespace(n=0) %}" + loop("{% set ns.n = ns.n + 1 %}") + "{{ ns.n }}",
    loop(
        "{% if m.role == 'assistant' %}{% generation %}{{ m.content }}!{% endgeneration %}"
        "{% else %}{{ m.content }}{% endif %}"
    ),
    "{{ (dict(a=1) | tojson) ~ add_generation_prompt ~ (documents is none) }}",
    "{{ undefined_thing is defined }}{{ undefined_thing }}",
    loop("{{ m.get('reasoning_content', '-') }}{{ m.thinking or '+' }}"),
    "{{ messages[0].content.upper().strip() }}{{ messages | map(attribute='role') | join(',') }}",
]


@pytest.mark.parametrize("source", SOURCES)
def test_what_templates_use_works_as_in_transformers(source: str) -> None:
    for given in CONVERSATIONS[:12]:
        theirs, spans = transformers_render(source, given, return_assistant_tokens_mask=True)
        ours = ChatTemplate(source).render_with_spans(**given)
        assert (ours.text, list(ours.generation_spans)) == (theirs, spans)


def test_generation_spans_mark_the_assistants_words() -> None:
    source = (
        "{% for m in messages %}<{% generation %}{{ m.content }}{% endgeneration %}>{% endfor %}"
    )
    messages = [{"role": "assistant", "content": text} for text in ("ab", "", "世界")]
    rendered = ChatTemplate(source).render_with_spans(messages)
    assert rendered.text == "<ab><><世界>"
    assert [rendered.text[a:b] for a, b in rendered.generation_spans] == ["ab", "", "世界"]


def test_variables_special_tokens_and_documents_reach_the_template() -> None:
    tokenizer = small("bytelevel_small")
    source = "{{ eos_token }}|{{ style }}|{{ documents[0].text }}|{{ bos_token is defined }}"
    path_free = ChatTemplate(source)
    text = path_free.render(
        USER,
        documents=[{"text": "doc"}],
        **tokenizer.special_tokens.template_variables(),
        style="x",
    )
    assert text == "<|im_end|>|x|doc|False"


def test_the_clock_is_injected() -> None:
    template = ChatTemplate("{{ strftime_now('%d %b %Y') }}", now=lambda: datetime(2025, 1, 2))
    assert template.render(USER) == "02 Jan 2025"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{{ raise_exception('roles must alternate') }}", "roles must alternate"),
        ("{% if %}", "does not parse"),
        ("{{ messages.append(1) }}", "template failed"),
        ("{{ messages.__class__.__mro__ }}", "template failed"),
        ("{% set ns = namespace() %}{% set ns.__x__ = 1 %}", "template failed"),
        ("{{ nothing.at.all }}", "template failed"),
        ("{{ dict.__globals__.x }}", "template failed"),
    ],
)
def test_what_a_template_may_not_do_is_an_error_of_one_kind(source: str, words: str) -> None:
    with pytest.raises(TokenizerError, match=words) as caught:
        ChatTemplate(source).render(USER)
    assert caught.value.code == "template"


def test_the_callers_messages_stay_as_they_are() -> None:
    messages = [{"role": "assistant", "content": "x", "thinking": "t"}]
    assert ChatTemplate("{{ messages[0].reasoning_content }}").render(messages) == "t"
    assert messages == [{"role": "assistant", "content": "x", "thinking": "t"}]


def test_thinking_models_sort_the_keys_of_tools() -> None:
    thinking = small("kimi_small")
    text = thinking.apply_chat_template(USER, tools=TOOLS)
    declared = text.split("<|im_middle|>")[1].split("<|im_end|>")[0]
    assert declared == json.dumps(sorted_keys(TOOLS), ensure_ascii=False, separators=(",", ":"))
    instruct = load_tokenizer(FIXTURES / "kimi_small", kimi_table="k2_instruct")
    assert json.dumps(TOOLS[1], separators=(",", ":")) in instruct.apply_chat_template(
        USER, tools=TOOLS
    )
    assert "<think>" in NAMED_SLOTS["k25"]


class TestDiscovery:
    def write(self, directory: Path, **files: str) -> Path:
        for name, content in files.items():
            (directory / name.replace("__", ".")).write_text(content)
        return directory

    def source(self, directory: Path, configuration: dict[str, Any] | None = None) -> str | None:
        template = discover_template(directory, configuration)
        return template.source if template else None

    def test_files_go_before_the_configuration_and_strays_never_win(self, tmp_path: Path) -> None:
        assert self.source(tmp_path) is None
        self.write(tmp_path, other__jinja="O")
        assert self.source(tmp_path) == "O", "the only template there is"
        self.write(tmp_path, another__jinja="A")
        assert self.source(tmp_path) is None, "which of the two would be a guess"
        assert self.source(tmp_path, {"chat_template": "C"}) == "C"
        self.write(tmp_path, chat_template__json='{"chat_template": "N"}')
        assert self.source(tmp_path) == "N"
        assert self.source(tmp_path, {"chat_template": "C"}) == "C"
        self.write(tmp_path, chat_template__jinja="J \\n ")
        assert self.source(tmp_path, {"chat_template": "C"}) == "J \\n "

    def test_older_json_files_hold_a_string_or_an_object(self, tmp_path: Path) -> None:
        self.write(tmp_path, chat_template__json='"S"')
        assert self.source(tmp_path) == "S"

    def test_a_json_file_without_template_says_so(self, tmp_path: Path) -> None:
        self.write(tmp_path, chat_template__json='{"other": 1}')
        with pytest.raises(TokenizerError, match="does not contain a valid template"):
            self.source(tmp_path)

    def test_an_explicit_template_wins(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.jinja"
        path.write_text("mine")
        tokenizer = load_tokenizer(FIXTURES / "bytelevel_small", chat_template=path)
        assert tokenizer.apply_chat_template(USER) == "mine"

    def test_named_templates_in_the_configuration(self) -> None:
        rows = [{"name": "default", "template": "D"}, {"name": "rag", "template": "R"}]
        for value in (rows, {"default": "D", "rag": "R"}):
            assert named_templates({"chat_template": value}) == {"default": "D", "rag": "R"}
        assert named_templates({"chat_template": "D"}) == {"default": "D"}
        assert named_templates({}) == {}

    def test_a_template_for_tools_is_used_with_tools(self, tmp_path: Path) -> None:
        rows = [{"name": "default", "template": "D"}, {"name": "tool_use", "template": "T"}]
        template = discover_template(tmp_path, {"chat_template": rows})
        assert template is not None
        assert template.render(USER) + template.render(USER, tools=TOOLS) == "DT"

    def test_the_gateways_reading_of_a_jinja_file(self) -> None:
        assert gateway_form("  a\\nb \n") == "a\nb"

    def test_without_a_template_the_error_says_what_to_do(self) -> None:
        with pytest.raises(TokenizerError, match=r"chat_template\.jinja") as caught:
            small("fallback_small").apply_chat_template(USER)
        assert caught.value.code == "no_chat_template"


def macro(test: str) -> str:
    body = "{% if " + test + " %}{% endif %}{% for x in c %}{% endfor %}"
    return "{% macro f(c) %}" + body + "{% endmacro %}"


PARTS = "{% for p in m.content %}{{ p }}{% endfor %}"


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        (loop("{% for p in m.content %}{{ p.text }}{% endfor %}"), "openai"),
        (loop(PARTS), "string"),
        (loop("{% for p in m['content'] %}x{% endfor %}"), "openai"),
        (loop("{{ m.content[0].text }}"), "openai"),
        (loop("{{ m.content['text'] }}"), "string"),
        (loop("{% if 3 < m.content|length %}x{% endif %}"), "openai"),
        (loop("{% if m.role %}{% elif m.content is string %}x{% endif %}"), "openai"),
        (loop("{% if m.content is defined %}x{% endif %}"), "string"),
        (loop("{{ m.content }}") + PARTS, "string"),
        ("{% for m in msgs %}" + PARTS + "{% endfor %}", "string"),
        (loop("{% set content = m.content %}{{ content }}"), "string"),
        (macro("c is string"), "openai"),
        (macro("not c is string"), "string"),
        (loop("{% generation %}{{ m.content[1] }}{% endgeneration %}"), "openai"),
        ("{% if", "string"),
    ],
)
def test_content_format(source: str, wanted: str) -> None:
    assert content_format(source) == wanted


def test_content_format_of_the_shipped_templates() -> None:
    assert content_format(published_template("k25").source) == "openai"
    chatml = (FIXTURES / "bytelevel_small" / "chat_template.jinja").read_text()
    assert content_format(chatml) == "string"
