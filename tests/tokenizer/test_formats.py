"""SentencePiece models and GGUF files give the ids of their libraries."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.tokenizer.texts import FIXTURES, random_text
from tinker_mock.tokenizer import DecodeStream, TokenizerError, load_tokenizer

CORPUS = FIXTURES / "corpus.txt"
TEXTS = ["Hello world", " two  spaces", "x = 1\n\ty", "世界 🎉 é", "", "don't 12345", "naïve ﬁne"]


def texts(seed: int = 0, count: int = 80) -> list[str]:
    rng = random.Random(seed)
    found = [random_text(rng) for _ in range(count)]
    return TEXTS + [text for text in found if not any("\ud800" <= c <= "\udfff" for c in text)]


SHAPES = ("bpe", "unigram", "no-prefix")


@pytest.fixture(scope="module", params=SHAPES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("sp") / "tokenizer.model", request.param)


def trained(path: Path, shape: str) -> Path:
    """A SentencePiece model of the sample texts."""
    sentencepiece = pytest.importorskip("sentencepiece", reason="needs the extra formats")
    kind = "unigram" if shape == "unigram" else "bpe"
    sentencepiece.SentencePieceTrainer.train(
        input=str(CORPUS),
        model_prefix=str(path.with_suffix("")),
        vocab_size=700,
        model_type=kind,
        byte_fallback=True,
        character_coverage=0.98,
        normalization_rule_name="identity",
        add_dummy_prefix=shape != "no-prefix",
        remove_extra_whitespaces=kind == "unigram",
        user_defined_symbols=["<tool>"],
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return path


def processor(path: Path) -> Any:
    import sentencepiece

    return sentencepiece.SentencePieceProcessor(model_file=str(path))


def test_a_sentencepiece_model_has_its_librarys_ids_and_texts(model: Path) -> None:
    peer, ours = processor(model), load_tokenizer(model)
    assert ours.vocab_size == peer.get_piece_size()
    for text in texts():
        ids = peer.encode(text)
        assert ours.encode(text) == ids
        assert ours.decode(ids) == peer.decode(ids)
        assert ours.encode_batch([text, text]) == [ids, ids]
    for token_id in range(0, peer.get_piece_size(), 7):
        piece = peer.id_to_piece(token_id)
        assert (ours.id_to_token(token_id), ours.token_to_id(piece)) == (piece, token_id)


def test_its_streams_join_to_the_full_decode(model: Path) -> None:
    ours = load_tokenizer(model)
    for text in texts(1):
        ids = ours.encode(text)
        stream = DecodeStream(ours)
        told = "".join(piece for i in ids if (piece := stream.step(i)) is not None)
        assert told + (stream.flush() or "") == ours.decode(ids)


@pytest.mark.parametrize("count", [1, 2, 70, 200])
def test_single_spaces_in_a_stream_are_not_lost(model: Path, count: int) -> None:
    """Alone they decode to nothing, as if a text began there."""
    ours, peer = load_tokenizer(model), processor(model)
    word, space = peer.encode("of the"), peer.piece_to_id("▁")
    for ids in ([*word, *[space] * count, *word], [*[space] * count, *word], [space] * count):
        stream = DecodeStream(ours)
        told = "".join(piece for i in ids if (piece := stream.step(i)) is not None)
        assert told + (stream.flush() or "") == peer.decode(ids)


def test_its_special_tokens_are_found_and_what_a_model_wants_is_added(
    model: Path, tmp_path: Path
) -> None:
    peer = processor(model)
    (tmp_path / "tokenizer.model").write_bytes(model.read_bytes())
    ours = load_tokenizer(tmp_path)
    assert ours.encode("<s>")[:1] == [peer.bos_id()]
    assert peer.bos_id() not in ours.encode("<s>", allow_special_tokens=False)
    assert ours.decode([peer.bos_id(), *peer.encode("Hi")]) == "<s>Hi"
    assert ours.decode([peer.bos_id(), *peer.encode("Hi")], skip_special_tokens=True) == "Hi"
    said = ours.special_tokens
    assert (said.bos, said.eos, said.unk) == ("<s>", "</s>", "<unk>")
    settings = {"add_bos_token": True, "add_eos_token": True, "additional_special_tokens": ["<x>"]}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    more = load_tokenizer(tmp_path)
    ids = more.encode("Hi<x>", add_special_tokens=True)
    assert ids == [peer.bos_id(), *peer.encode("Hi"), peer.get_piece_size(), peer.eos_id()]
    assert more.decode(ids, skip_special_tokens=True) == "Hi"


def test_its_offsets_say_where_each_piece_stands(model: Path) -> None:
    encoding = load_tokenizer(model).encoding("Hello 世界 <s>x")
    assert encoding.token_ids() == load_tokenizer(model).encode("Hello 世界 <s>x")
    covered = {at for start, end in encoding.offsets for at in range(start, end)}
    assert set(range(5)) <= covered
    assert (9, 12) in encoding.offsets


def write_gguf(path: Path, kind: str, tokens: list[str], **more: Any) -> Path:
    gguf = pytest.importorskip("gguf", reason="needs the extra formats")
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model(kind)
    writer.add_token_list(tokens)
    for name, value in more.items():
        getattr(writer, f"add_{name}")(value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def converted(model: Path, path: Path) -> Path:
    """A SentencePiece model as llama.cpp's converter writes it."""
    peer = processor(model)
    size = peer.get_piece_size()
    kinds = {"is_unknown": 2, "is_control": 3, "is_unused": 5, "is_byte": 6}
    types = [next((k for name, k in kinds.items() if getattr(peer, name)(i)), 1)
             for i in range(size)]  # fmt: skip
    types[peer.piece_to_id("<tool>")] = 4
    unigram = peer.encode("  a  b") == peer.encode("a b")
    return write_gguf(
        path,
        "t5" if unigram else "llama",
        [peer.id_to_piece(i) for i in range(size)],
        token_scores=[peer.get_score(i) for i in range(size)],
        token_types=types,
        bos_token_id=peer.bos_id(),
        eos_token_id=peer.eos_id(),
        unk_token_id=peer.unk_id(),
        add_space_prefix=peer.encode("a", out_type=str)[0] != "a",
        remove_extra_whitespaces=unigram,
        add_bos_token=True,
        chat_template="T{{ bos_token }}",
    )


def test_a_gguf_file_of_llamas_kind_has_the_converted_models_ids(
    model: Path, tmp_path: Path
) -> None:
    peer = processor(model)
    ours = load_tokenizer(converted(model, tmp_path / "m.gguf"))
    for text in texts(2):
        assert ours.encode(text) == peer.encode(text), text
    assert ours.encode("a", add_special_tokens=True)[0] == peer.bos_id()
    assert ours.apply_chat_template([{"role": "user", "content": "x"}]) == "T<s>"


@pytest.mark.parametrize("pre", ["gpt-2", "qwen2"])
def test_a_gguf_file_of_gpt2s_kind_has_the_librarys_ids(tmp_path: Path, pre: str) -> None:
    source = json.loads((FIXTURES / "bytelevel_small" / "tokenizer.json").read_text())
    vocabulary = source["model"]["vocab"]
    added = {row["id"]: row["content"] for row in source["added_tokens"]}
    tokens = sorted(vocabulary, key=vocabulary.get) + [added[i] for i in sorted(added)]
    merges = [" ".join(p) if isinstance(p, list) else p for p in source["model"]["merges"]]
    types = [1] * len(vocabulary) + [3] * len(added)
    end = tokens.index("<|im_end|>")
    path = write_gguf(
        tmp_path / "m.gguf",
        "gpt2",
        tokens,
        token_merges=merges,
        token_types=types,
        tokenizer_pre=pre,
        eos_token_id=end,
    )
    ours = load_tokenizer(path)
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

    pairs = [tuple(line.split(" ")) for line in merges]
    peer = Tokenizer(models.BPE(vocab=vocabulary, merges=pairs))
    split = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pre == "gpt-2")
    steps = [] if pre == "gpt-2" else [pre_tokenizers.Split(Regex(split), "isolated")]
    peer.pre_tokenizer = pre_tokenizers.Sequence([*steps, byte_level])
    peer.decoder = decoders.ByteLevel()
    for text in texts(3):
        assert ours.encode(text) == peer.encode(text).ids, text
        assert ours.decode(ours.encode(text)) == text
    assert ours.encode("x<|im_end|>")[-1] == end
    assert ours.special_tokens.eos == "<|im_end|>"


def test_kinds_that_are_not_known_are_refused_by_name(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "a.gguf", "rwkv", ["a"])
    with pytest.raises(TokenizerError, match=r"tokenizer\.ggml\.model is 'rwkv'"):
        load_tokenizer(path)
    path = write_gguf(tmp_path / "b.gguf", "gpt2", ["a"], tokenizer_pre="mystery")
    with pytest.raises(TokenizerError, match=r"tokenizer\.ggml\.pre is 'mystery'") as caught:
        load_tokenizer(path)
    assert caught.value.code == "unsupported_format"


def test_a_missing_package_is_told_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    path = tmp_path / "tokenizer.model"
    path.write_bytes(b"\x0a\x09<unk>.......")
    with pytest.raises(TokenizerError, match=r"tinker-mock\[formats\]") as caught:
        load_tokenizer(path)
    assert caught.value.code == "missing_package"
