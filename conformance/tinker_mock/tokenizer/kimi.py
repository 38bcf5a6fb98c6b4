"""Kimi K2: a rank file, the Han-aware pattern and 256 reserved special tokens.

The specials stand right after the ranks; `added_tokens_decoder` of tokenizer_config.json names
some, every other slot is `<|reserved_token_{id}|>`. Without a configuration the published names
apply (`NAMED_SLOTS`, as offsets from the first slot).
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tinker_mock.tokenizer.chunking import chunk_like_the_official_wrapper
from tinker_mock.tokenizer.errors import TokenizerError
from tinker_mock.tokenizer.kimi_k3 import GUARD, guard, k3_messages, without_guards
from tinker_mock.tokenizer.protocols import SpecialTokens
from tinker_mock.tokenizer.ranked import RankedTokenizer
from tinker_mock.tokenizer.ranks import parse_ranks
from tinker_mock.tokenizer.templates import ChatTemplate, variables_of
from tinker_mock.tokenizer.typescript import tools_as_typescript

RESERVED_SLOTS = 256
_UPPER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]"
_LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]"
_CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
PATTERN = "|".join(
    (
        r"[\p{Han}]+",
        rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_CONTRACTION}",
        rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_CONTRACTION}",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)

_K2 = {
    **{"[BOS]": 0, "[EOS]": 1, "<|im_end|>": 2, "<|im_user|>": 3, "<|im_assistant|>": 4},
    **{"<|start_header_id|>": 6, "<|end_header_id|>": 7, "[EOT]": 9, "<|im_system|>": 10},
    **{"<|tool_calls_section_begin|>": 11, "<|tool_calls_section_end|>": 12},
    **{"<|tool_call_begin|>": 13, "<|tool_call_argument_begin|>": 14, "<|tool_call_end|>": 15},
    **{"<|im_middle|>": 17, "[UNK]": 254, "[PAD]": 255},
}
_THINKING = {"<think>": 22, "</think>": 23}
_MEDIA = {
    **{"<|media_begin|>": 18, "<|media_content|>": 19},
    **{"<|media_end|>": 20, "<|media_pad|>": 21},
}
_K3 = {
    **{"[BOS]": 0, "[EOS]": 1, "<|end_of_msg|>": 2, "<|open|>": 3, "<|close|>": 4, "<|sep|>": 5},
    **{"[UNK]": 254, "[PAD]": 255},
}
NAMED_SLOTS: dict[str, dict[str, int]] = {
    "k2_instruct": _K2,
    "k2_thinking": {**_K2, **_THINKING},
    "k25": {**_K2, **_THINKING, **_MEDIA},
    "k3": _K3,
}

# Reasoning and tool markers are text to a reader: `skip_special_tokens` keeps them.
NOT_SKIPPED = frozenset(
    {*_THINKING, *(name for name in _K2 if name.startswith("<|tool_call"))}
    | {"<|open|>", "<|close|>", "<|sep|>"}
)


def reserved_specials(base: int, names: Mapping[int, str]) -> dict[str, int]:
    """All 256 slots after `base` ranks, text to id; `names` (id to text) outside are ignored."""
    slots = range(base, base + RESERVED_SLOTS)
    return {names.get(i, f"<|reserved_token_{i}|>"): i for i in slots}


def published_specials(base: int, table: str) -> dict[str, int]:
    """The slots as the models of one table of `NAMED_SLOTS` name them."""
    if table not in NAMED_SLOTS:
        raise TokenizerError(
            "validation",
            f"kimi_table: there is no table {table!r}.",
            fix=f"Known: {', '.join(NAMED_SLOTS)}.",
        )
    return reserved_specials(base, {base + i: name for name, i in NAMED_SLOTS[table].items()})


def parse_configuration(content: str) -> dict[str, Any]:
    try:
        configuration = json.loads(content)
    except ValueError as error:
        raise TokenizerError(
            "invalid_json", f"tokenizer_config.json is not JSON: {error}"
        ) from error
    if not isinstance(configuration, dict):
        raise TokenizerError("invalid_json", "tokenizer_config.json must hold an object.")
    return configuration


def configured_names(configuration: Mapping[str, Any]) -> dict[int, str]:
    """Id to text of `added_tokens_decoder`. Raises `invalid_special_tokens`."""
    added = configuration.get("added_tokens_decoder") or {}
    try:
        return {int(key): _content(value) for key, value in added.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise TokenizerError(
            "invalid_special_tokens",
            "added_tokens_decoder must map integer ids to objects with a content.",
            fix=f"({error})",
        ) from error


def _content(value: Any) -> str:
    content = value if isinstance(value, str) else value["content"]
    if not isinstance(content, str):
        raise TypeError(f"{content!r} is not a text")
    return content


def _not_skipped(configuration: Mapping[str, Any]) -> set[str]:
    """The tokens the configuration says are not special."""
    added = (configuration.get("added_tokens_decoder") or {}).values()
    return {_content(row) for row in added if isinstance(row, dict) and not row.get("special", 1)}


def is_kimi(tokenizer_config: Any, model_config: Any = None) -> bool:
    """Whether a model's configuration names Kimi's tokenizer: the module `tokenization_kimi` as a
    whole dotted segment anywhere in tokenizer_config.json, or a Kimi `model_type`."""
    if _names_module(tokenizer_config, "tokenization_kimi"):
        return True
    kind = model_config.get("model_type") if isinstance(model_config, dict) else None
    return kind in ("kimi_k2", "kimi_k25", "kimi_k3")


def _names_module(value: Any, module: str) -> bool:
    if isinstance(value, str):
        return module in value.split(".")
    items = value.values() if isinstance(value, dict) else value
    return isinstance(value, dict | list) and any(_names_module(item, module) for item in items)


@cache
def published_template(style: str) -> ChatTemplate:
    """Kimi's prompt as this project writes it, for a style: instruct, thinking, k25 or k3."""
    if style == "k3":
        path = Path(__file__).with_name("kimi_k3_prompt.jinja")
        return ChatTemplate(path.read_text("utf-8"), f"{path.name}:k3")
    path = Path(__file__).with_name("kimi_prompt.jinja")
    source = path.read_text("utf-8")
    return ChatTemplate(f'{{%- set style = "{style}" -%}}\n{source}', f"{path.name}:{style}")


def _style(special: Mapping[str, int]) -> str:
    """The style of the model that names these specials."""
    if "<|end_of_msg|>" in special:
        return "k3"
    if "<think>" not in special:
        return "instruct"
    return "k25" if "<|media_begin|>" in special else "thinking"


class KimiTokenizer(RankedTokenizer):
    """Kimi's tokenizer. `chunking` cuts long texts as the official wrapper does; `table` names
    the specials when there is no configuration. Without a template it has the published one."""

    def __init__(
        self,
        ranks: dict[bytes, int],
        configuration: Mapping[str, Any] | None = None,
        *,
        name: str = "kimi_k2",
        table: str = "k2_instruct",
        pattern: str = PATTERN,
        default_allow_special: bool = True,
        chunking: bool = False,
        chat_template: ChatTemplate | None = None,
    ) -> None:
        self.base = len(ranks)
        names = configured_names(configuration) if configuration is not None else {}
        special = (
            reserved_specials(self.base, names)
            if configuration is not None
            else published_specials(self.base, table)
        )
        super().__init__(
            name,
            ranks,
            pattern,
            special,
            special_tokens=_roles(configuration or {}, special),
            default_allow_special=default_allow_special,
            chat_template=chat_template or published_template(_style(special)),
            chunk=chunk_like_the_official_wrapper if chunking else None,
        )
        kept = _not_skipped(configuration) if configuration is not None else NOT_SKIPPED
        self._special_ids -= {special[text] for text in kept if text in special}
        longest_first = sorted(special, key=len, reverse=True)
        self._markup = re.compile(f"({'|'.join(map(re.escape, longest_first))})")
        self.thinks = "<think>" in special or "<|end_of_msg|>" in special

    def prepared_messages(self, messages: list[Any], source: str) -> list[Any]:
        """K3's template wants its results named and its arguments taken apart."""
        return k3_messages(messages) if source == published_template("k3").source else messages

    def guarded(self, said: Any, source: str) -> Any:
        """K3's prompt is encoded segment by segment: what somebody wrote is never markup."""
        return guard(said, self._markup) if source == published_template("k3").source else said

    def encode_prompt(self, text: str) -> list[int]:
        """The ids of a prompt, its guarded texts as texts."""
        if GUARD not in text:
            return self.encode(text)
        specials = self.special_tokens.ids
        ids: list[int] = []
        for place, segment in enumerate(self._markup.split(text)):
            if place % 2:
                ids.append(specials[segment])
            else:
                ids += self.encode(without_guards(segment), allow_special_tokens=False)
        return ids

    def prepared_tools(self, tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The thinking models sort the keys of tool declarations."""
        return [sorted_keys(tool) for tool in tools] if self.thinks else tools

    def template_extras(self, source: str, tools: list[dict[str, Any]] | None) -> dict[str, Any]:
        """From K2.5 on, tools are declared in TypeScript; a schema that Moonshot's writer refuses
        leaves them in JSON, as Moonshot's tokenizer does."""
        if not tools or "tools_ts_str" not in variables_of(source):
            return {}
        try:
            return {"tools_ts_str": tools_as_typescript(tools)}
        except TokenizerError:
            return {}


def sorted_keys(value: Any) -> Any:
    """`value` with the keys of every object in it in order."""
    if isinstance(value, Mapping):
        return {key: sorted_keys(value[key]) for key in sorted(value)}
    return list(map(sorted_keys, value)) if isinstance(value, list | tuple) else value


def _roles(configuration: Mapping[str, Any], special: Mapping[str, int]) -> SpecialTokens:
    defaults = {"bos": "[BOS]", "eos": "[EOS]", "pad": "[PAD]", "unk": "[UNK]"}
    roles = {}
    for role, default in defaults.items():
        value = configuration.get(f"{role}_token", default)
        text = value.get("content") if isinstance(value, dict) else value
        roles[role] = text if text in special else None
    return SpecialTokens(roles["bos"], roles["eos"], roles["pad"], roles["unk"], ids=dict(special))


Fetch = Callable[[str], bytes]


def kimi_from_files(fetch: Fetch, **options: Any) -> KimiTokenizer:
    """A tokenizer of the files `fetch(name)` gives: tiktoken.model, then tokenizer_config.json.

    Raises TokenizerError `invalid_tiktoken_model`, `empty_tiktoken_model`, `invalid_json` or
    `invalid_special_tokens`.
    """
    ranks = parse_ranks(fetch("tiktoken.model"))
    configuration = parse_configuration(fetch("tokenizer_config.json").decode())
    return KimiTokenizer(ranks, configuration, **options)


def read_kimi(model: Path, config: Path | None, **options: Any) -> KimiTokenizer:
    """A tokenizer of two files; without a configuration the published names apply."""
    ranks = parse_ranks(model.read_bytes())
    configuration = parse_configuration(config.read_text("utf-8")) if config else None
    return KimiTokenizer(ranks, configuration, **options)
