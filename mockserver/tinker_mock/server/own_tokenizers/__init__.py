"""The models' own tokenizers, taken out of tml-renderers once and kept as files."""

from tinker_mock.server.own_tokenizers.folder import (
    TAKEN,
    NotTaken,
    kept_folder,
    own_folder,
    take,
)
from tinker_mock.server.own_tokenizers.kinds import Kind, kind_of

__all__ = ["TAKEN", "Kind", "NotTaken", "kept_folder", "kind_of", "own_folder", "take"]
