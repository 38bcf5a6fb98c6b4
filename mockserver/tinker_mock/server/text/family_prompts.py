"""Conversations in their family's own marks, for models whose chat template is not on the machine.

What was taught through tinker-cookbook's renderers is then known here too: for words alone the ids
are theirs (tinker_cookbook 0.6.1, renderers/). Longer things that a template says by itself, such
as an effort in words, are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tinker_mock.server.catalog import CatalogModel

Around = tuple[str, str]
"""What stands before and after a message's words."""
Said = tuple[str, str]
"""A role and its words."""


@dataclass(frozen=True)
class PromptForm:
    """`begin` opens a conversation, `opens` the turn to come; `thinks` and `silent` follow it.

    `said` stands around an earlier answer, `default` is said where no system message is, `lead`
    before all messages to a model that thinks.
    """

    messages: Mapping[str, Around]
    said: Around
    opens: str
    thinks: str = ""
    silent: str = ""
    begin: str = ""
    default: str | None = None
    lead: str = ""

    def pieces(self, messages: Sequence[Said], thinking: bool | None) -> Iterator[Around]:
        """(marks, words) in order. `thinking` is None for a model that never does."""
        yield self.begin + (self.lead if thinking else ""), ""
        if self.default is not None and all(role != "system" for role, _ in messages):
            before, after = self.messages["system"]
            yield before + self.default + after, ""
        for role, words in messages:
            around = self.messages.get(role, self.messages["user"])
            before, after = self.said if role == "assistant" else around
            yield before, words
            yield after, ""
        suffix = "" if thinking is None else self.thinks if thinking else self.silent
        yield self.opens + suffix, ""


def _turns(role: str, end: str) -> dict[str, Around]:
    roles = ("system", "user", "tool")
    return {name: (role.format(name), end) for name in roles}


IM = "<|im_start|>{}\n"
IM_END = "<|im_end|>\n"
QWEN3 = PromptForm(
    _turns(IM, IM_END),
    (IM.format("assistant"), IM_END),
    IM.format("assistant"),
    silent="<think>\n\n</think>\n\n",
)
QWEN3_5 = PromptForm(
    QWEN3.messages, QWEN3.said, QWEN3.opens, thinks="<think>\n", silent=QWEN3.silent
)
NEMOTRON = PromptForm(
    QWEN3.messages,
    (IM.format("assistant") + "<think></think>", IM_END),
    QWEN3.opens,
    thinks="<think>\n",
    silent="<think></think>",
    default="",
)
DEEPSEEK = PromptForm(
    {"system": ("", ""), "user": ("<｜User｜>", "")},
    ("<｜Assistant｜></think>", "<｜end▁of▁sentence｜>"),
    "<｜Assistant｜>",
    thinks="<think>",
    silent="</think>",
    begin="<｜begin▁of▁sentence｜>",
)
DEEPSEEK_V4 = PromptForm(
    {"system": ("<｜System｜>", ""), "user": ("<｜User｜>", "")},
    DEEPSEEK.said,
    DEEPSEEK.opens,
    thinks="<think>",
    silent="</think>",
    begin=DEEPSEEK.begin,
)
GPT_OSS = PromptForm(
    {
        "system": ("<|start|>developer<|message|># Instructions\n\n", "\n\n<|end|>"),
        "user": ("<|start|>user<|message|>", "<|end|>"),
    },
    ("<|start|>assistant<|channel|>final<|message|>", "<|end|>"),
    "<|start|>assistant",
)
KIMI = PromptForm(
    {
        role: (f"<|im_{mark}|>{role}<|im_middle|>", "<|im_end|>")
        for role, mark in (("system", "system"), ("user", "user"), ("tool", "system"))
    },
    ("<|im_assistant|>assistant<|im_middle|>", "<|im_end|>"),
    "<|im_assistant|>assistant<|im_middle|>",
    default="You are Kimi, an AI assistant created by Moonshot AI.",
)
KIMI_THINKING = PromptForm(
    KIMI.messages,
    (KIMI.opens + "<think></think>", "<|im_end|>"),
    KIMI.opens,
    thinks="<think>",
    silent="<think></think>",
    default=KIMI.default,
)
# No renderer keeps GLM from thinking: `silent` is what stands in its earlier turns.
GLM = PromptForm(
    {"system": ("<|system|>", ""), "user": ("<|user|>", ""), "tool": ("<|observation|>", "")},
    ("<|assistant|><think></think>", ""),
    "<|assistant|>",
    thinks="<think>",
    silent="<think></think>",
    begin="[gMASK]<sop>",
    lead="<|system|>Reasoning Effort: Max",
)
LLAMA = PromptForm(
    _turns("<|start_header_id|>{}<|end_header_id|>\n\n", "<|eot_id|>"),
    ("<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>"),
    "<|start_header_id|>assistant<|end_header_id|>\n\n",
    begin="<|begin_of_text|>",
)
INKLING = PromptForm(
    _turns("<|message_{}|><|content_text|>", "<|end_message|>"),
    (
        "<|message_model|><|content_text|>",
        "<|end_message|><|content_model_end_sampling|>",
    ),
    "",
)
FORMS = {
    "qwen3": QWEN3,
    "qwen3_5": QWEN3_5,
    "nemotron3": NEMOTRON,
    "deepseek_v3": DEEPSEEK,
    "deepseek_v4_1": DEEPSEEK_V4,
    "gpt_oss": GPT_OSS,
    "kimi_k2": KIMI,
    "kimi_k2_thinking": KIMI_THINKING,
    "glm5": GLM,
    "llama3": LLAMA,
    "inkling": INKLING,
}


def form_of(model: CatalogModel) -> PromptForm | None:
    """How a model's family writes a conversation; None for base models and unknown families."""
    return FORMS.get(model.family) if model.chat else None
