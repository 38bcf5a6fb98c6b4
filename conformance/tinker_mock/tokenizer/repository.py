"""What a model's directory says about its tokenizer besides the vocabulary.

Read as transformers reads it: tokenizer_config.json; where it has no `added_tokens_decoder`,
special_tokens_map.json over it, and added_tokens.json. Where neither configuration is there, the
special tokens' roles are told by the names they commonly have.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tinker_mock.tokenizer.errors import TokenizerError

CONFIGURATION = "tokenizer_config.json"
ROLES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
FLAGS = ("special", "lstrip", "rstrip", "single_word", "normalized")
COMMON_NAMES = {
    "bos_token": (
        "<s>",
        "<|startoftext|>",
        "<|begin_of_text|>",
        "<bos>",
        "<BOS>",
        "[BOS]",
        "[CLS]",
    ),
    "eos_token": ("</s>", "<|endoftext|>", "<|end_of_text|>", "<eos>", "<EOS>", "[SEP]"),
    "unk_token": ("<unk>", "<UNK>", "[UNK]"),
    "pad_token": ("<pad>", "<PAD>", "[PAD]"),
    "sep_token": ("[SEP]",),
    "cls_token": ("[CLS]",),
    "mask_token": ("[MASK]", "<mask>"),
}


@dataclass(frozen=True)
class Token:
    """A token as the files write it: its text, and its flags (as `tokenizers` calls them) where it
    is written as an object."""

    content: str
    flags: Mapping[str, bool] | None = field(default=None, hash=False)

    @property
    def special(self) -> bool:
        """What is only named is special."""
        return self.flags is None or bool(self.flags.get("special"))

    @classmethod
    def of(cls, value: Any, **flags: bool) -> "Token":
        """From a text, or from an object with a content, over whose flags `flags` go."""
        if isinstance(value, str):
            return cls(value)
        given = {k: bool(v) for k, v in value.items() if k in FLAGS}
        if not isinstance(value.get("content"), str):
            raise ValueError(f"{value!r} is no token")
        return cls(value["content"], {**given, **flags})


@dataclass(frozen=True)
class Repository:
    """`named`: tokens by their roles (`bos_token`), `listed`: tokens to add by id, `extra`: further
    special ones."""

    configuration: Mapping[str, Any] = field(default_factory=dict)
    named: Mapping[str, Token] = field(default_factory=dict)
    listed: tuple[Token, ...] = ()
    extra: tuple[Token, ...] = ()
    silent: bool = True
    """No file says which tokens have a role."""

    @property
    def roles(self) -> dict[str, str]:
        """The texts of the tokens with a role."""
        return {role: token.content for role, token in self.named.items()}

    @classmethod
    def read(cls, directory: Path, configuration_path: Path | None = None) -> "Repository":
        """Raises TokenizerError `invalid_json` or `invalid_special_tokens`, naming the file."""
        path = configuration_path or directory / CONFIGURATION
        configuration = read_object(path)
        special_map = read_object(directory / "special_tokens_map.json")
        added = read_object(directory / "added_tokens.json")
        try:
            found = _merged(configuration, special_map, added)
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise TokenizerError(
                "invalid_special_tokens",
                f"The special tokens of {directory} cannot be read: {error}.",
                fix="added_tokens_decoder maps integer ids to objects with a content.",
            ) from error
        return found

    def roles_in(self, id_of: Callable[[str], int | None]) -> dict[str, str]:
        """The roles, those told by common names included where no file names any."""
        if not self.silent:
            return dict(self.roles)
        found = {}
        for role, names in COMMON_NAMES.items():
            name = next((name for name in names if id_of(name) is not None), None)
            if name is not None:
                found[role] = name
        return found


def read_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file; {} when there is none."""
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise TokenizerError("invalid_json", f"{path} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise TokenizerError("invalid_json", f"{path} must hold an object.")
    return value


def _merged(
    configuration: dict[str, Any], special_map: dict[str, Any], added: dict[str, Any]
) -> Repository:
    values = dict(configuration)
    if values.get("additional_special_tokens") and not values.get("extra_special_tokens"):
        values["extra_special_tokens"] = values.pop("additional_special_tokens")
    others = {
        name: Token.of(value)
        for name, value in values.items()
        if name.endswith("_token") and name not in ROLES and isinstance(value, str | dict)
    }
    lists = "added_tokens_decoder" in values
    decoder: dict[int, Token] = {}
    if lists:
        rows = (values["added_tokens_decoder"] or {}).items()
        decoder = {int(id): Token.of(row) for id, row in rows}
    else:
        _overlay(values, special_map)
    extra = values.get("extra_special_tokens") or []
    if isinstance(extra, dict):
        others |= {name: Token.of(value) for name, value in extra.items()}
        extra = []
    named = {role: Token.of(values[role]) for role in ROLES if values.get(role) is not None}
    if not lists:
        special = {token.content for token in named.values()} | {Token.of(v).content for v in extra}
        for text, id in added.items():
            is_special = text in special
            decoder[int(id)] = Token(text, {"normalized": not is_special, "special": is_special})
    extra = extra or values.get("additional_special_tokens") or []
    return Repository(
        configuration,
        {**named, **others},
        tuple(decoder[id] for id in sorted(decoder)),
        tuple(map(Token.of, extra)),
        silent=not configuration and not special_map,
    )


def _overlay(values: dict[str, Any], special_map: dict[str, Any]) -> None:
    """special_tokens_map.json over the configuration; its objects are special tokens."""
    for name, value in special_map.items():
        if name == "extra_special_tokens" and isinstance(value, list):
            before = list(values.get(name) or [])
            value = [*before, *(one for one in value if one not in before)]
        elif isinstance(value, dict) and name != "extra_special_tokens":
            value = {**value, "special": True}
        values[name] = value
