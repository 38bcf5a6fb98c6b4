"""Chat templates of stand-ins: how each family frames turns, without tools or pictures."""

from __future__ import annotations

_START = "{% for m in messages %}"
_ASK = "{% endfor %}{% if add_generation_prompt %}"
_END = "{% endif %}"
_NO_THOUGHTS = "{% if enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}"
_BARE_THOUGHTS = "{% if thinking is false or enable_thinking is false %}<think></think>{% endif %}"
_IM = "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"

TEMPLATES = {
    "qwen3": f"{_START}{_IM}{_ASK}<|im_start|>assistant\n{_NO_THOUGHTS}{_END}",
    "qwen3_5": f"{_START}{_IM}{_ASK}<|im_start|>assistant\n{_NO_THOUGHTS}{_END}",
    "nemotron3": f"{_START}{_IM}{_ASK}<|im_start|>assistant\n{_NO_THOUGHTS}{_END}",
    "llama3": "{{ bos_token }}" + _START + "<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
    "{{ m.content }}<|eot_id|>" + _ASK + "<|start_header_id|>assistant<|end_header_id|>\n\n" + _END,
    "deepseek": "{{ bos_token }}" + _START + "{% if m.role == 'assistant' %}<｜Assistant｜>"
    "{{ m.content }}<｜end▁of▁sentence｜>{% elif m.role == 'system' %}{{ m.content }}{% else %}"
    "<｜User｜>{{ m.content }}{% endif %}" + _ASK + "<｜Assistant｜>"
    "{% if thinking is false or enable_thinking is false %}</think>{% endif %}" + _END,
    "gpt_oss": _START + "<|start|>{{ m.role }}{% if m.role == 'assistant' %}<|channel|>final"
    "{% endif %}<|message|>{{ m.content }}<|end|>" + _ASK + "<|start|>assistant" + _END,
    "kimi_k2": _START + "{% if m.role == 'assistant' %}<|im_assistant|>{% elif m.role == 'user' %}"
    "<|im_user|>{% else %}<|im_system|>{% endif %}{{ m.role }}<|im_middle|>{{ m.content }}"
    "<|im_end|>" + _ASK + "<|im_assistant|>assistant<|im_middle|>" + _BARE_THOUGHTS + _END,
    "glm5": "[gMASK]<sop>" + _START + "{% if m.role == 'tool' %}<|observation|>{% else %}"
    "<|{{ m.role }}|>{% endif %}{{ m.content }}" + _ASK + "<|assistant|>" + _BARE_THOUGHTS + _END,
    "inkling": _START + "{% if m.role == 'assistant' %}<|message_model|>{% else %}"
    "<|message_{{ m.role }}|>{% endif %}<|content_text|>{{ m.content }}<|end_message|>"
    "{% if m.role == 'assistant' %}<|content_model_end_sampling|>{% endif %}{% endfor %}",
}


def chat_template(family: str) -> str | None:
    """The template of the family, or of the one it is a kind of; None for none."""
    parts = family.split("_")
    names = ("_".join(parts[:end]) for end in range(len(parts), 0, -1))
    return next((TEMPLATES[name] for name in names if name in TEMPLATES), None)
