"""tml-renderers' tokenizers in the shape of Hugging Face's, for the cookbook without a hub."""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

import tml_renderers.tokenizers as tml
from tinker_cookbook import tokenizer_utils

COOKBOOKS = "the cookbook's"
CLASSES = {
    "Qwen/Qwen3.": "Qwen35",
    "Qwen/Qwen3-": "Qwen3",
    "deepseek-ai/DeepSeek-V3.1": "DeepSeekV31",
    "deepseek-ai/DeepSeek-V4.1": "DeepSeekV41",
    "openai/gpt-oss": "Harmony",
    "moonshotai/Kimi-K2-Thinking": "KimiK2Thinking",
    "moonshotai/Kimi-K2-": "KimiK2Instruct",
    "moonshotai/Kimi-K2.5": "KimiK25",
    "moonshotai/Kimi-K2.6": "KimiK26",
    "zai-org/GLM": "Glm",
    "nvidia/NVIDIA-Nemotron": "Nemotron3",
    "thinkingmachines/Inkling": COOKBOOKS,
    "thinkingmachines/Inkling-2": "",
}


class Ids:
    def __init__(self, ids: list[int]) -> None:
        self.ids = ids


class Backend:
    """What renderers ask `backend_tokenizer` for: text whose marks are text."""

    encode_special_tokens = False

    def __init__(self, tokenizer: "OwnTokenizer") -> None:
        self.tokenizer = tokenizer

    def __deepcopy__(self, memo: Any) -> "Backend":
        return Backend(self.tokenizer)

    def encode(self, text: str, **_: Any) -> Ids:
        return Ids(self.tokenizer.encode(text, split_special_tokens=self.encode_special_tokens))


class OwnTokenizer:
    def __init__(self, name: str, kind: str) -> None:
        self.name_or_path = name
        self.tml = getattr(tml, f"{kind}Tokenizer")()
        ids = [self.tml.encode_special(mark) for mark in self.tml.special_tokens()]
        self.marks = {self.tml.decode([token]): token for token in ids}
        self.mark_of = {token: mark for mark, token in self.marks.items()}
        self.all_special_ids, self.all_special_tokens = list(self.mark_of), list(self.marks)
        self.pattern = _splitting(self.marks)
        # The models' own files call these no special tokens, so they are never split.
        self.unsplit = _splitting(m for m in self.marks if "think" in m or "tool" in m)
        self.eos_token_id = self.tml.encode_special(self.tml.eos_token)
        if name.startswith("Qwen/") and name.endswith("-Base"):
            self.eos_token_id = self.marks["<|endoftext|>"]
        self.eos_token = self.pad_token = self.mark_of[self.eos_token_id]
        begin = self.tml.bos_token
        self.bos_token_id = self.tml.encode_special(begin) if begin else None
        self.bos_token = self.mark_of.get(self.bos_token_id)
        self.pad_token_id = self.eos_token_id
        self.vocab_size = max(self.mark_of) + 1
        self.backend_tokenizer = Backend(self)

    def __len__(self) -> int:
        return self.vocab_size

    def __deepcopy__(self, memo: Any) -> "OwnTokenizer":
        return self

    def encode(self, text: str, split_special_tokens: bool = False, **_: Any) -> list[int]:
        pattern = self.unsplit if split_special_tokens else self.pattern
        ids: list[int] = []
        for part in pattern.split(text):
            ids += [self.marks[part]] if part in self.marks else self.tml.encode_ordinary(part)
        return ids

    def decode(self, ids: Any, skip_special_tokens: bool = False, **_: Any) -> str:
        listed = [int(i) for i in ([ids] if isinstance(ids, int) else ids)]
        kept = [i for i in listed if not (skip_special_tokens and i in self.mark_of)]
        return str(self.tml.decode(kept))

    def convert_tokens_to_ids(self, tokens: Any) -> Any:
        if isinstance(tokens, str):
            return self.marks.get(tokens)
        return [self.convert_tokens_to_ids(token) for token in tokens]

    def convert_ids_to_tokens(self, ids: Any) -> Any:
        return self.decode(ids) if isinstance(ids, int) else [self.decode(i) for i in ids]

    def get_vocab(self) -> dict[str, int]:
        return dict(self.marks)


def _splitting(marks: Iterable[str]) -> re.Pattern[str]:
    """Cuts text at these marks; `(?!)` where there are none."""
    written = sorted(map(re.escape, marks), key=len, reverse=True)
    return re.compile("(" + "|".join(written or ["(?!)"]) + ")")


@cache
def own_tokenizer(name: str, kind: str) -> OwnTokenizer:
    return OwnTokenizer(name, kind)


def install(models: list[str]) -> list[str]:
    """Let the cookbook find them; returns the models that have one. It has Inkling's itself."""
    found = []
    for model in models:
        start = max((s for s in CLASSES if model.startswith(s)), key=len, default="")
        kind = CLASSES.get(start)
        if kind and kind != COOKBOOKS:
            tokenizer_utils.register_tokenizer(
                model, lambda model=model, kind=kind: own_tokenizer(model, kind)
            )
        if kind:
            found.append(model)
    return found
