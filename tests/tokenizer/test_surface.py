"""The surface a newcomer from other libraries expects: loading, offsets, streams, builders."""

import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenizer.texts import FIXTURES, shared_path, small
from tinker_mock.cli import main
from tinker_mock.client import ModelInput
from tinker_mock.client.errors import ValidationError
from tinker_mock.tokenizer import (
    DecodeStream,
    Encoding,
    StopSequenceDecoder,
    StopSequenceDecoderBuilder,
    StopSequences,
    load_tokenizer,
    load_tokenizer_async,
)
from tinker_mock.tokenizer.chunking import chunk_like_the_official_wrapper

KIMI = FIXTURES / "kimi_small"
FALLBACK = FIXTURES / "fallback_small"


def test_path_options_are_strings_or_paths() -> None:
    files = {
        "tiktoken_model_path": KIMI / "tiktoken.model",
        "tokenizer_config_path": KIMI / "tokenizer_config.json",
        "chat_template": FIXTURES / "bytelevel_small" / "chat_template.jinja",
    }
    as_strings = load_tokenizer("any/name", **{name: str(path) for name, path in files.items()})
    assert as_strings is load_tokenizer("any/name", **files)
    assert as_strings.encode("Hello") == [545]


def test_from_file_async_and_load_give_one_object() -> None:
    tokenizer = load_tokenizer(KIMI)
    assert type(tokenizer).from_file(str(KIMI)) is tokenizer  # type: ignore[attr-defined]
    assert asyncio.run(load_tokenizer_async(KIMI)) is tokenizer


def test_model_input_from_text_takes_the_tokenizers_options() -> None:
    given_files = {
        "tiktoken_model_path": str(KIMI / "tiktoken.model"),
        "tokenizer_config_path": str(KIMI / "tokenizer_config.json"),
    }
    found = ModelInput.from_text("Hello<|im_end|>", model_name="org/any", **given_files)
    assert found.to_ints() == load_tokenizer(KIMI).encode("Hello<|im_end|>")
    plain = ModelInput.from_text(
        "<|im_end|>", model_name="org/any", allow_special_tokens=False, **given_files
    )
    as_text = load_tokenizer(KIMI).encode("<|im_end|>", allow_special_tokens=False)
    assert plain.to_ints() == as_text
    assert len(as_text) > 1
    with pytest.raises(ValidationError, match="did you mean"):
        ModelInput.from_text("x", model_name="org/any", cachedir="x")


@given(st.text(max_size=40), st.sampled_from(["kimi_small", "bytelevel_small", "fallback_small"]))
@settings(max_examples=200, deadline=None)
def test_an_encoding_says_where_its_tokens_stand(text: str, name: str) -> None:
    tokenizer = small(name)
    encoding = tokenizer.encoding(text)  # type: ignore[attr-defined]
    assert isinstance(encoding, Encoding)
    assert encoding.token_ids() == tokenizer.encode(text)
    assert len(encoding.tokens) == len(encoding.offsets) == len(encoding)
    if name == "fallback_small":
        return  # its normaliser moves characters
    covered = {at for start, end in encoding.offsets for at in range(start, end)}
    assert covered == set(range(len(text)))
    starts = [start for start, _ in encoding.offsets]
    assert starts == sorted(starts)


def test_offsets_of_ranks_are_those_of_the_same_merges_in_tokenizers() -> None:
    """Both vocabularies were trained on one corpus: what they cut alike stands alike."""
    for text in ("Hello world", "x = [1]", "don't"):
        ours, peer = small("kimi_small").encoding(text), small("bytelevel_small").encoding(text)  # type: ignore[attr-defined]
        assert [text[a:b] for a, b in ours.offsets] == list(ours.tokens)
        assert [text[a:b] for a, b in peer.offsets] == [t.replace("Ġ", " ") for t in peer.tokens]


def test_decode_stream_is_a_method_too() -> None:
    tokenizer = load_tokenizer(KIMI)
    ids = tokenizer.encode("世界 🎉")
    stream = tokenizer.decode_stream()
    assert "".join(stream.step_batch(ids)) == "世界 🎉"


def test_the_builder_says_what_the_dataclass_says() -> None:
    tokenizer = load_tokenizer(KIMI)
    builder = (
        StopSequenceDecoderBuilder(tokenizer)
        .stop_token(602)
        .stop_sequence("stop")
        .visible_stop_token(601)
        .visible_stop_sequence("###")
        .skip_special_tokens(False)
    )
    stops = StopSequences(frozenset({602}), ("stop",), frozenset({601}), ("###",))
    for text in ("a stop b", "a ### b", "no end", "x<|im_end|>y"):
        built = builder.build()
        plain = StopSequenceDecoder(tokenizer, stops, skip_special_tokens=False)
        for token in tokenizer.encode(text):
            assert built.process_token(token) == plain.process(token)
        assert built.flush() == plain.flush()
        assert built.is_stopped() == plain.stopped
        assert built.matched_stop == plain.matched_stop


class TestLongRuns:
    @pytest.mark.parametrize("unit", [" ", "\u3000", "\t", "\n"])
    def test_a_million_white_characters_have_their_ids(self, unit: str) -> None:
        tokenizer = load_tokenizer(KIMI)
        ids = tokenizer.encode(f"x{unit * 1_000_000}y<|im_end|>")
        assert tokenizer.decode(ids) == f"x{unit * 1_000_000}y<|im_end|>"
        assert ids[-1] == 602

    def test_at_the_border_they_are_tiktokens(self) -> None:
        tiktoken = pytest.importorskip("tiktoken")
        from tinker_mock.tokenizer.kimi import PATTERN
        from tinker_mock.tokenizer.ranks import read_ranks

        peer = tiktoken.Encoding(
            "x",
            pat_str=PATTERN,
            mergeable_ranks=read_ranks(KIMI / "tiktoken.model"),
            special_tokens={},
        )
        tokenizer = load_tokenizer(KIMI)
        for size in (99_999, 100_000, 100_001, 250_000):
            for text in (" " * size, f"a\n{' ' * size}b c", f"{' ' * size}\n\n  x"):
                assert tokenizer.encode(text) == peer.encode(text, disallowed_special=())

    @pytest.mark.shared
    def test_kimis_own_cut_is_a_choice(self) -> None:
        path = shared_path("kimi_k2")
        text = " " * 1_000_000
        assert len(load_tokenizer(path).encode(text)) == 3_907
        parts = chunk_like_the_official_wrapper(text)
        chunked = load_tokenizer(path, chunking=True).encode(text)
        assert chunked == [i for part in parts for i in load_tokenizer(path).encode(part)]


def told(ids: list[int]) -> list[str | None]:
    stream = DecodeStream(load_tokenizer(FALLBACK))
    return [*map(stream.step, ids), stream.flush()]


class TestByteFallback:
    def byte(self, value: int) -> int:
        found = load_tokenizer(FALLBACK).token_to_id(f"<0x{value:02X}>")
        assert found is not None
        return found

    def run(self, data: bytes) -> list[int]:
        return [self.byte(value) for value in data]

    def test_an_answer_cut_inside_a_second_character_tells_nothing_twice(self) -> None:
        tokenizer = load_tokenizer(FALLBACK)
        for cut in range(1, 4):
            ids = [*tokenizer.encode("ok "), *self.run("🫨🫨".encode()[:-cut])]
            assert "".join(piece or "" for piece in told(ids)) == tokenizer.decode(ids)

    def test_a_run_is_told_when_it_ends(self) -> None:
        tokenizer = load_tokenizer(FALLBACK)
        ids = [*self.run("é".encode()), *tokenizer.encode(" a")[-1:]]
        assert told(ids)[:2] == [None, None]
        assert "".join(piece or "" for piece in told(ids)) == tokenizer.decode(ids)

    def test_a_very_long_run_does_not_wait_for_its_end(self) -> None:
        ids = self.run(("語" * 60).encode())
        pieces = told(ids)
        assert sum(map(bool, pieces[:-1])) >= 2
        assert "".join(piece or "" for piece in pieces) == "語" * 60


def test_stops_on_the_command_line_have_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    ids = [str(i) for i in load_tokenizer(KIMI).encode("one\ntwo")]
    command = ["tokenize", "stream", "-t", str(KIMI), "--json"]
    assert main([*command, "--stop", "\\n", *ids]) == 0
    assert json.loads(capsys.readouterr().out)["stopped_by"] == "\n"
    assert main([*command, "--stop", "tw\\u006f", *ids]) == 0
    assert json.loads(capsys.readouterr().out)["stopped_by"] == "two"


def test_the_command_line_continues_names_and_locates(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    chatml = str(FIXTURES / "bytelevel_small")
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Well, "}]
    assert main(["tokenize", "render", "-t", chatml, "--continue", json.dumps(messages)]) == 0
    assert capsys.readouterr().out.endswith("<|im_start|>assistant\nWell, ")
    assert main(["tokenize", "encode", "-t", str(KIMI), "--as", "offsets", "Hello 世"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "545\t0-5\t'Hello'"
    assert (
        main(["tokenize", "render", "-t", chatml, "--template", "rag", json.dumps(messages)]) == 0
    )
    assert capsys.readouterr().out == "rag"
