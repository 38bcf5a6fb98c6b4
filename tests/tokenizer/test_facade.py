"""What holds for every tokenizer, whatever stands behind it."""

import pytest

from tests.tokenizer.texts import SMALL, small
from tinker_mock.tokenizer import Decoder, Encoder, Tokenizer

ALL = (*SMALL, "mock")


@pytest.mark.parametrize("name", ALL)
class TestEveryTokenizer:
    def test_keeps_the_protocols(self, name: str) -> None:
        tokenizer = small(name)
        for protocol in (Encoder, Decoder, Tokenizer):
            assert isinstance(tokenizer, protocol)

    def test_encodes_a_batch_like_each_text(self, name: str) -> None:
        tokenizer = small(name)
        texts = ["Hello world", "", "test <|im_end|>", "世界 🎉"] * 50
        for allowed in (None, True, False):
            batch = tokenizer.encode_batch(texts, allow_special_tokens=allowed)
            assert batch == [tokenizer.encode(t, allow_special_tokens=allowed) for t in texts]
        assert tokenizer.encode_batch([]) == []

    def test_names_its_tokens_both_ways(self, name: str) -> None:
        tokenizer = small(name)
        for token_id in tokenizer.encode("Hello world test"):
            token = tokenizer.id_to_token(token_id)
            assert token is not None
            assert tokenizer.token_to_id(token) == token_id
        assert tokenizer.token_to_id("no such token") is None
        assert tokenizer.id_to_token(10**6) is None

    def test_knows_its_special_tokens(self, name: str) -> None:
        tokenizer = small(name)
        special = tokenizer.special_tokens
        assert special.ids
        for text, token_id in special.ids.items():
            assert tokenizer.token_to_id(text) == token_id
            assert tokenizer.id_to_token(token_id) == text
        for role in special.template_variables().values():
            assert role in special.ids

    def test_decodes_what_it_encodes(self, name: str) -> None:
        tokenizer = small(name)
        ids = tokenizer.encode("Hello world")
        assert ids
        assert tokenizer.decode(ids) == "Hello world"
        assert tokenizer.decode([]) == ""

    def test_skips_special_tokens_only_when_asked(self, name: str) -> None:
        tokenizer = small(name)
        special = [i for i in tokenizer.special_tokens.ids.values() if tokenizer.is_special(i)]
        hello = tokenizer.encode("Hello")
        assert tokenizer.decode([*hello, special[0]], skip_special_tokens=True) == "Hello"
        assert tokenizer.decode([*hello, special[0]]) != "Hello"
