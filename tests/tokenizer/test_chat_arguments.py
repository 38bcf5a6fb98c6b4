"""apply_chat_template has transformers' arguments, outcomes and refusals."""

from enum import Enum
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenizer.texts import FIXTURES, small
from tinker_mock.tokenizer import ChatTemplate, LoadedTokenizer, TokenizerError, load_tokenizer
from tinker_mock.tokenizer.bounds import MAX_CHARACTERS
from tinker_mock.tokenizer.function_tools import function_as_tool

CHATML = FIXTURES / "bytelevel_small"
LOOP = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}"
TRIMMED = "{% for m in messages %}[{{ m.role }}]{{ m.content | trim }}\n{% endfor %}"
PARTS = (
    "{% for m in messages %}<{{ m.role }}>{% for p in m.content %}{{ p.text }}{% endfor %}"
    "</s>{% endfor %}"
)
REASONING = (
    "{% for m in messages %}<{{ m.role }}>{% if m.reasoning_content %}<think>"
    "{{ m.reasoning_content }}</think>{% endif %}{{ m.content }}</s>{% endfor %}"
)
UPPER = "{% for m in messages %}{{ m.content | upper }}{% endfor %}"
CONSTANT = "nothing of it"
GENERATION = (
    "{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' %}{% generation %}"
    "{{ m.content }}{% endgeneration %}{% else %}{{ m.content }}{% endif %}\n{% endfor %}"
)
USER = [{"role": "user", "content": "hi"}]
words = st.sampled_from(["Sure, ", "né 世界", " x", "a\nb", "", "  ", "end "])
parts = st.lists(words.map(lambda text: {"type": "text", "text": text}), min_size=1, max_size=3)
contents = st.one_of(words, parts, st.just([{"type": "image"}]))


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    roles = draw(st.lists(st.sampled_from(["system", "user", "assistant"]), min_size=1, max_size=4))
    messages = []
    for role in roles:
        message: dict[str, Any] = {"role": role, "content": draw(contents)}
        if draw(st.booleans()):
            message["reasoning"] = draw(words)
        if draw(st.integers(0, 5)) == 0:
            message["content"] = None
        messages.append(message)
    return messages


@pytest.fixture(scope="module")
def peer() -> Any:
    transformers = pytest.importorskip("transformers")
    return transformers.PreTrainedTokenizerFast.from_pretrained(str(CHATML))


def outcome(work: Any) -> Any:
    try:
        return work()
    except (TokenizerError, ValueError, TypeError):
        return "refused"
    except Exception as error:  # the library hands on Jinja's own
        return "refused" if type(error).__module__.startswith("jinja2") else error


@given(
    conversations(),
    st.sampled_from([LOOP, TRIMMED, PARTS, REASONING, UPPER, CONSTANT, GENERATION]),
    st.sampled_from([False, True, "content", "reasoning_content", "reasoning", "other"]),
    st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_continued_messages_are_transformers(
    peer: Any, messages: list[dict[str, Any]], source: str, field: Any, prompt: bool
) -> None:
    options = {
        "chat_template": source,
        "continue_final_message": field,
        "add_generation_prompt": prompt,
    }
    ours = outcome(lambda: small("bytelevel_small").apply_chat_template(messages, **options))
    theirs = outcome(lambda: peer.apply_chat_template(messages, tokenize=False, **options))
    assert ours == theirs


@given(conversations())
@settings(max_examples=100, deadline=None)
def test_ids_and_the_mask_of_the_assistants_tokens_are_transformers(
    peer: Any, messages: list[dict[str, Any]]
) -> None:
    messages = [{**m, "content": m["content"] if isinstance(m["content"], str) else "parts"}
                for m in messages]  # fmt: skip
    options = {
        "chat_template": GENERATION,
        "tokenize": True,
        "return_dict": True,
        "return_assistant_tokens_mask": True,
    }
    ours = small("bytelevel_small").apply_chat_template(messages, **options)
    theirs = peer.apply_chat_template(messages, **options)
    assert ours["input_ids"] == theirs["input_ids"]
    if all(message["content"] for message in messages):  # of an empty span it marks what is before
        assert ours["assistant_masks"] == theirs["assistant_masks"]
    ids = small("bytelevel_small").apply_chat_template(messages, tokenize=True)
    assert isinstance(ids, list)


class Unit(Enum):
    CELSIUS = "c"
    KELVIN = "k"


def forecast(
    place: str,
    days: int = 3,
    unit: Unit = Unit.CELSIUS,
    hours: list[float] | None = None,
    mode: Literal["short", "long"] = "short",
    box: tuple[int, int] = (0, 0),
    more: dict[str, bool] | None = None,
    either: int | str = 0,
    anything: Any = None,
) -> str:
    """What the weather will be.

    Over several lines.

    Args:
        place: Where it is, over
            two lines
        days: How many days
        unit: The unit
        hours: At which hours
        mode: How much to say (choices: ["short", " long "])
        box: Two corners
        more: Switches
        either: A number or a word
        anything: Whatever

    Returns:
        A text.
    """
    return place


class Station:
    def now(self, place: str) -> list[int]:
        """Now.

        Args:
            place: Where
        """
        return [len(place)]


def test_functions_become_the_tools_that_transformers_makes_of_them() -> None:
    utils = pytest.importorskip("transformers.utils.chat_template_utils")
    for function in (forecast, Station().now):
        assert function_as_tool(function) == utils.get_json_schema(function)
    source = "{{ tools | tojson }}"
    ours = ChatTemplate(source).render([{"role": "user", "content": "x"}], tools=[forecast])
    (theirs,), _ = utils.render_jinja_template([[]], tools=[forecast], chat_template=source)
    assert ours == theirs


def untold(place: str) -> None:
    """No line for the argument."""


def untyped(place) -> None:  # type: ignore[no-untyped-def]
    """Where.

    Args:
        place: Where
    """


def undocumented(place: str) -> None: ...


@pytest.mark.parametrize("function", [untold, untyped, undocumented])
def test_functions_that_cannot_be_tools_say_why(function: Any) -> None:
    with pytest.raises(TokenizerError, match="cannot be a tool") as caught:
        small("kimi_small").apply_chat_template(
            [{"role": "user", "content": "x"}], tools=[function]
        )
    assert caught.value.code == "function_tool"


@pytest.mark.parametrize(
    ("messages", "options", "code", "words"),
    [
        ([], {}, "validation", "empty conversation"),
        (USER, {"continue_final_messag": True}, "unknown_argument", "continue_final_messag"),
        (USER, {"enable_thinking": False}, "unknown_argument", "does not read"),
        (USER, {"tools": ["f"]}, "validation", r"tools\[0\] must be a JSON schema or a function"),
        (USER, {"documents": ["d"]}, "validation", r"documents\[0\] must be an object"),
        (["x"], {}, "validation", r"messages\[0\] must be an object"),
        (USER, {"return_assistant_tokens_mask": True}, "validation", "requires return_dict"),
        (
            USER,
            {"continue_final_message": True, "add_generation_prompt": True},
            "validation",
            "not compatible",
        ),
    ],
)
def test_refusals(messages: Any, options: dict[str, Any], code: str, words: str) -> None:
    with pytest.raises(TokenizerError, match=words) as caught:
        small("bytelevel_small").apply_chat_template(messages, **options)
    assert caught.value.code == code


def test_variables_reach_a_template_that_reads_them_and_names_are_checked() -> None:
    tokenizer = small("bytelevel_small")
    source = "{{ style }}{% if flag %}!{% endif %}"
    assert tokenizer.apply_chat_template(USER, chat_template=source, style="s", flag=1) == "s!"
    named = ChatTemplate("D", named={"default": "D", "rag": "R"})
    assert named.render(USER, chat_template="rag") == "R"
    assert named.render(USER, chat_template="{{ 'inline' }}") == "inline"
    with pytest.raises(TokenizerError, match=r"no template named 'rga'.*default, rag"):
        named.render(USER, chat_template="rga")
    with pytest.raises(TokenizerError, match="no default specified"):
        ChatTemplate("", named={"rag": "R"}).render(USER)


def doubled(start: str, twice: str) -> str:
    body = f"{{% for i in range(99) %}}{{% set ns.s = {twice} %}}{{% endfor %}}"
    return f"{{% set ns = namespace(s={start}) %}}{body}"


ENDLESS = [
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{% macro f(n) %}{{ f(n - 1) }}{{ f(n - 1) }}{% endmacro %}{{ f(400) }}",
    "{{ 'x' * 10 ** 12 }}",
    "{{ [1] * 10 ** 9 }}",
    doubled("'x'", "ns.s ~ ns.s"),
    doubled("'x'", "ns.s + ns.s"),
    doubled("['x']", "ns.s + ns.s"),
    doubled("'x'", "[ns.s, ns.s] | join"),
    doubled("2", "ns.s * ns.s"),
    "{{ '%1000000000d' % 1 }}",
    "{{ '{:>1000000000}'.format(1) }}",
    "{{ 'x'.ljust(10 ** 9) }}",
    "{{ 'x' | center(1000000000) }}",
    "{{ 9 ** (9 ** 9) }}",
    "{% set s = 'x' * 9999999 %}{{ s.replace('x', s) }}",
    "{% set s = 'x' * 9999999 %}{{ s | replace('x', s) }}",
    "{% for i in range(99) %}{{ 'x' * 9999999 }}{% endfor %}",
    "{{ [1] | tojson(indent=1000000000) }}",
]


@pytest.mark.parametrize("source", ENDLESS)
def test_a_template_without_end_is_stopped(source: str) -> None:
    with pytest.raises(TokenizerError) as caught:
        ChatTemplate(source).render(USER)
    assert caught.value.code == "template"


def test_long_conversations_are_within_the_bounds() -> None:
    messages = [{"role": "user", "content": "word " * 100}] * 20_000
    text = ChatTemplate(LOOP).render(messages)
    assert 10_000_000 < len(text) < MAX_CHARACTERS


QWEN_LIKE = (
    "{% for m in messages %}{% if m.content is string %}{% set c = m.content %}"
    "{% else %}{% set c = '' %}{% endif %}<{{ c }}>{% endfor %}"
)


def test_a_format_that_would_drop_parts_is_not_told(tmp_path: Path) -> None:
    path = tmp_path / "t.jinja"
    path.write_text(QWEN_LIKE)
    tokenizer: LoadedTokenizer = load_tokenizer(CHATML, chat_template=str(path))
    assert tokenizer.content_format == "string"
    path.write_text(PARTS)
    assert load_tokenizer(CHATML, chat_template=str(path)).content_format == "openai"
    assert small("kimi_small").content_format == "openai"
