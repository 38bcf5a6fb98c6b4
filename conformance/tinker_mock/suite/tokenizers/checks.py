"""The checks of the tokenizer chapter: each a function that raises Unmet."""

from collections.abc import Callable

from tinker_mock.suite.core.verdict import Inapplicable, expect, expect_equal
from tinker_mock.suite.tokenizers.subject import Subject
from tinker_mock.tokenizer import StopSequences, TokenizerError

Check = Callable[[Subject], None]
CHECKS: dict[str, Check] = {}
USER = {"role": "user", "content": "Hi"}


def check(name: str) -> Callable[[Check], Check]:
    """Enter a function into the table of checks."""

    def enter(function: Check) -> Check:
        CHECKS[name] = function
        return function

    return enter


@check("tokenizer/encode/deterministic")
def deterministic(subject: Subject) -> None:
    first = [subject.tokenizer.encode(text) for text in subject.texts]
    again = [subject.tokenizer.encode(text) for text in reversed(subject.texts)][::-1]
    for text, one, two in zip(subject.texts, first, again, strict=True):
        expect_equal(two, one, f"the ids of {text!r}, asked twice")


@check("tokenizer/encode/batch")
def batch(subject: Subject) -> None:
    whole = subject.tokenizer.encode_batch(list(subject.texts))
    expect_equal(len(whole), len(subject.texts), "one list of ids a text")
    for text, ids in zip(subject.texts, whole, strict=True):
        expect_equal(ids, subject.tokenizer.encode(text), f"the ids of {text!r} in a batch")


@check("tokenizer/encode/range")
def in_range(subject: Subject) -> None:
    if subject.tokenizer.name == "mock":
        raise Inapplicable("the mock's size is a count of words")
    for text in subject.texts:
        ids = subject.tokenizer.encode(text)
        bad = [i for i in ids if not 0 <= i < subject.tokenizer.vocab_size]
        expect(not bad, f"ids of {text!r}", f"0 to {subject.tokenizer.vocab_size - 1}", bad)


@check("tokenizer/encode/surrogates")
def surrogates(subject: Subject) -> None:
    for text, meant in (("a\ud83d", "a\ufffd"), ("\ude00b", "\ufffdb"), ("\ud83d\ude00", "😀")):
        try:
            ids = subject.tokenizer.encode(text)
        except UnicodeError as error:
            expect(False, f"encode({text!r})", "ids", f"{type(error).__name__}")
            return
        expect_equal(ids, subject.tokenizer.encode(meant), f"encode({text!r})")


@check("tokenizer/encode/specials")
def specials(subject: Subject) -> None:
    for text, token_id in list(subject.specials().items())[:8]:
        ids = subject.tokenizer.encode(f"{text} Hello")
        expect(token_id in ids, f"{text} in a text is its token", token_id, ids)


@check("tokenizer/encode/specials-off")
def specials_off(subject: Subject) -> None:
    for text, token_id in list(subject.specials().items())[:8]:
        ids = subject.tokenizer.encode(text, allow_special_tokens=False)
        expect(token_id not in ids, f"{text} is text when specials are off", "other ids", ids)


@check("tokenizer/decode/round-trip")
def round_trip(subject: Subject) -> None:
    for text in subject.exact():
        expect_equal(subject.tokenizer.decode(subject.tokenizer.encode(text)), text, "round trip")


@check("tokenizer/decode/partial")
def partial(subject: Subject) -> None:
    if not subject.tokenizer.byte_level:
        raise Inapplicable("tokens are not bytes")
    for text in ("𠀀", "𝄞", "\U0001fad8"):
        ids = subject.tokenizer.encode(text)
        if len(ids) > 1:
            found = subject.tokenizer.decode(ids[:1])
            expect_equal(found, "\ufffd", f"the first of {len(ids)} tokens of {text!r}")


@check("tokenizer/decode/skip-special")
def skip_special(subject: Subject) -> None:
    hello = subject.tokenizer.encode("Hello")
    plain = subject.tokenizer.decode(hello)
    for text, token_id in list(subject.specials().items())[:8]:
        ids = [*hello, token_id]
        expect_equal(
            subject.tokenizer.decode(ids, skip_special_tokens=True), plain, f"{text} is left out"
        )
        found = subject.tokenizer.decode(ids)
        expect(text in found, f"{text} is there when not skipped", text, found)


@check("tokenizer/decode/unknown-id")
def unknown_id(subject: Subject) -> None:
    beyond = subject.tokenizer.vocab_size + 10_000
    try:
        found = subject.tokenizer.decode([beyond])
    except TokenizerError as error:
        expect(str(beyond) in str(error), "the error names the id", beyond, str(error))
        return
    expect_equal(found, "", f"the text of {beyond}, which is no token")


@check("tokenizer/vocabulary/both-ways")
def both_ways(subject: Subject) -> None:
    for text, token_id in list(subject.tokenizer.special_tokens.ids.items())[:32]:
        expect_equal(subject.tokenizer.token_to_id(text), token_id, f"the id of {text}")
        expect_equal(subject.tokenizer.id_to_token(token_id), text, f"the text of {token_id}")


@check("tokenizer/stream/joins")
def joins(subject: Subject) -> None:
    for text in subject.texts:
        ids = subject.tokenizer.encode(text)
        expect_equal(
            "".join(subject.streamed(ids)), subject.tokenizer.decode(ids), "the pieces, joined"
        )


@check("tokenizer/stream/whole-characters")
def whole_characters(subject: Subject) -> None:
    for text in subject.texts:
        pieces = subject.streamed(subject.tokenizer.encode(text))
        broken = [piece for piece in pieces if "\ufffd" in piece]
        expect(not broken, f"no piece of {text!r} has half a character", "whole ones", broken)


@check("tokenizer/stream/prompt")
def prompt(subject: Subject) -> None:
    for text in subject.texts:
        ids = subject.tokenizer.encode(text)
        cut = len(ids) // 2
        before, full = subject.tokenizer.decode(ids[:cut]), subject.tokenizer.decode(ids)
        if full.startswith(before) and not before.endswith("\ufffd"):
            found = "".join(subject.streamed(ids[cut:], ids[:cut]))
            expect_equal(found, full[len(before) :], "only what follows the prompt")


def _stopped(subject: Subject, text: str, stops: StopSequences) -> tuple[str, object]:
    decoder = subject.stopper(subject.tokenizer, stops)
    outputs = [decoder.process(token) for token in subject.tokenizer.encode(text)]
    outputs.append(decoder.flush())
    return "".join(output.text for output in outputs), decoder.matched_stop


def _spelled(subject: Subject, text: str) -> str:
    """`text` as the tokenizer gives it back; n/a when it cannot say it."""
    found = subject.tokenizer.decode(subject.tokenizer.encode(text))
    if found != text:
        raise Inapplicable(f"the tokenizer cannot say {text!r}")
    return found


@check("tokenizer/stop/hidden")
def hidden(subject: Subject) -> None:
    text = _spelled(subject, "Hello world test")
    found = _stopped(subject, text, StopSequences(stop_sequences=("world",)))
    expect_equal(found, ("Hello ", "world"), "the text before a hidden stop, and the stop")


@check("tokenizer/stop/visible")
def visible(subject: Subject) -> None:
    text = _spelled(subject, "Hello world test")
    found = _stopped(subject, text, StopSequences(visible_stop_sequences=("world",)))
    expect_equal(found, ("Hello world", "world"), "the text through a visible stop, and the stop")


@check("tokenizer/stop/earliest")
def earliest(subject: Subject) -> None:
    text = _spelled(subject, "Hello world test")
    for stops in (("test", "world"), ("world", "test"), ("world test", "wor")):
        found, _ = _stopped(subject, text, StopSequences(stop_sequences=stops))
        expect_equal(found, "Hello ", f"the text before the first of {stops}")


@check("tokenizer/stop/split-characters")
def split_characters(subject: Subject) -> None:
    text = _spelled(subject, "a 𠀀𝄞 b")
    found = _stopped(subject, text, StopSequences(stop_sequences=("𠀀𝄞",)))
    expect_equal(found, ("a ", "𠀀𝄞"), "a stop whose characters come in several tokens")


@check("tokenizer/stop/nothing-lost")
def nothing_lost(subject: Subject) -> None:
    for text in subject.texts:
        found = subject.tokenizer.decode(subject.tokenizer.encode(text), skip_special_tokens=True)
        stops = StopSequences(stop_sequences=("\n\n\n\nnever", "中文never", " worldly"))
        expect_equal(_stopped(subject, text, stops), (found, None), "text without a stop")


@check("tokenizer/stop/token")
def stop_token(subject: Subject) -> None:
    token_id = next(iter(subject.specials().values()))
    decoder = subject.stopper(
        subject.tokenizer, StopSequences(frozenset({token_id}), stop_sequences=("worldly",))
    )
    _spelled(subject, "Hello world")
    ids = subject.tokenizer.encode("Hello world")
    outputs = [decoder.process(token) for token in [*ids, token_id, *ids]]
    found = "".join(output.text for output in outputs)
    expect_equal(found, "Hello world", "held text comes out at a stop token, and nothing after it")


@check("tokenizer/template/generation-prompt")
def generation_prompt(subject: Subject) -> None:
    if subject.tokenizer.chat_template is None:
        raise Inapplicable("there is no chat template")
    closed = subject.tokenizer.apply_chat_template([USER])
    opened = subject.tokenizer.apply_chat_template([USER], add_generation_prompt=True)
    expect(opened.startswith(closed), "the prompt opens a turn after the conversation", closed,
           opened)  # fmt: skip
    expect(len(opened) > len(closed), "the prompt opens a turn", "more text", opened)
    expect("Hi" in closed, "the user's words are in the prompt", "Hi", closed)


@check("tokenizer/template/specials")
def template_specials(subject: Subject) -> None:
    if subject.tokenizer.chat_template is None:
        raise Inapplicable("there is no chat template")
    text = subject.tokenizer.apply_chat_template([USER], add_generation_prompt=True)
    written = {i for mark, i in subject.tokenizer.special_tokens.ids.items() if mark in text}
    missing = written - set(subject.tokenizer.encode(text))
    expect(not missing, "special tokens of the prompt are single ids", written, missing)


def _kimi_specials(subject: Subject) -> dict[str, int]:
    ids = dict(subject.tokenizer.special_tokens.ids)
    if "<|tool_calls_section_begin|>" not in ids:
        raise Inapplicable("not a Kimi tokenizer")
    return ids


@check("tokenizer/kimi/slots")
def kimi_slots(subject: Subject) -> None:
    ids = _kimi_specials(subject)
    base = subject.tokenizer.vocab_size - 256
    expect_equal(sorted(ids.values()), list(range(base, base + 256)), "256 slots after the ranks")
    for text, token_id in ids.items():
        if text.startswith("<|reserved_token_"):
            expect_equal(text, f"<|reserved_token_{token_id}|>", "the name of an unnamed slot")


@check("tokenizer/kimi/markers")
def kimi_markers(subject: Subject) -> None:
    ids = _kimi_specials(subject)
    for text in (name for name in ids if name.startswith("<|tool_call")):
        expect_equal(subject.tokenizer.encode(text), [ids[text]], f"{text} is one token")
        kept = subject.tokenizer.decode([ids[text]], skip_special_tokens=True)
        expect_equal(kept, text, f"{text} is kept when specials are skipped")
