"""Tokenizers that stand in for models whose own is not on this machine."""

from tinker_mock.server.stand_in.folder import MARK, identity_of, stand_in_folder
from tinker_mock.server.stand_in.tokenizer import StandInTokenizer
from tinker_mock.server.stand_in.vocabulary import NamedModel, Vocabulary, vocabulary_of

__all__ = [
    "MARK",
    "NamedModel",
    "StandInTokenizer",
    "Vocabulary",
    "identity_of",
    "stand_in_folder",
    "vocabulary_of",
]
