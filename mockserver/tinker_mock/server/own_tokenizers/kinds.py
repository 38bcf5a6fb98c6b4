"""Which of tml-renderers' tokenizers each model has, and how it cuts texts.

Sources: the published `tokenizer.json` and `tokenization_kimi.py` of the models; all of them are
compared with what tml-renderers 0.2.1 encodes each time one is taken.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinker_mock.server.stand_in import NamedModel

_SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_SUFFIX = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_LEAD = r"[^\r\n\p{L}\p{N}]?"


def _qwen(letters: str, digits: str, others: str) -> str:
    return rf"{_SUFFIX}|{_LEAD}{letters}+|{digits}| ?{others}+[\r\n]*|{_SPACES}"


def _cased(upper: str, lower: str, suffix: str, digits: str, after: str) -> str:
    words = f"{_LEAD}{upper}*{lower}+{suffix}|{_LEAD}{upper}+{lower}*{suffix}"
    return rf"{words}|{digits}| ?[^\s\p{{L}}\p{{N}}]+[{after}]*|{_SPACES}"


def _without_han(letters: str) -> str:
    return letters[:-1] + r"&&[^\p{Han}]]"


_SYMBOLS = r"[^\s\p{L}\p{N}]"
QWEN3 = (_qwen(r"\p{L}", r"\p{N}", _SYMBOLS),)
QWEN3_5 = (_qwen(r"[\p{L}\p{M}]", r"\p{N}", r"[^\s\p{L}\p{M}\p{N}]"),)
GLM = (_qwen(r"\p{L}", r"\p{N}{1,3}", _SYMBOLS),)
NEMOTRON = (_cased(_UPPER, _LOWER, "", r"\p{N}", r"\r\n/"),)
O200K = (_cased(_UPPER, _LOWER, f"{_SUFFIX}?", r"\p{N}{1,3}", r"\r\n/"),)
_KIMI = _cased(_without_han(_UPPER), _without_han(_LOWER), f"{_SUFFIX}?", r"\p{N}{1,3}", r"\r\n")
KIMI = (rf"[\p{{Han}}]+|{_KIMI}",)
DEEPSEEK = (
    r"\p{N}{1,3}",
    "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|"""
    r"[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|" + _SPACES,
)


@dataclass(frozen=True)
class Kind:
    """One tokenizer of tml-renderers: `NAMETokenizer` there."""

    name: str
    splits: tuple[str, ...]
    normalizer: str | None = None


KINDS = {
    "qwen3": Kind("Qwen3", QWEN3, "NFC"),
    "qwen3_5": Kind("Qwen35", QWEN3_5, "NFC"),
    "deepseek_v3": Kind("DeepSeekV31", DEEPSEEK),
    "deepseek_v4_1": Kind("DeepSeekV41", DEEPSEEK),
    "gpt_oss": Kind("Harmony", O200K),
    "kimi_k2": Kind("KimiK2Instruct", KIMI),
    "kimi_k2_thinking": Kind("KimiK26", KIMI),
    "glm5": Kind("Glm", GLM),
    "nemotron3": Kind("Nemotron3", NEMOTRON),
    "inkling": Kind("O200kBaseChat", O200K),
}
"""By family."""

OF_MODELS = {
    "Kimi-K2-Base": Kind("KimiK2Base", KIMI),
    "Kimi-K2-Thinking": Kind("KimiK2Thinking", KIMI),
    "Kimi-K2.5": Kind("KimiK25", KIMI),
}
"""Models whose marks are not their family's."""

WITHOUT = ("Kimi-K3", "Inkling-2")
"""Models with a tokenizer that tml-renderers 0.2.1 has not."""


def kind_of(model: NamedModel) -> Kind | None:
    """The model's tokenizer in tml-renderers; None where it has none."""
    name = model.name.partition(":")[0].rpartition("/")[2]
    if name.startswith(WITHOUT):
        return None
    return OF_MODELS.get(name) or KINDS.get(model.family)
