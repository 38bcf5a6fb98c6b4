"""`continue_final_message`: a prompt that ends inside the last message, for the model to go on.

The rules and refusals are transformers': a mark is set behind the last message's text before the
template is rendered, and the prompt ends where the mark stands.
"""

from dataclasses import dataclass
from typing import Any

from tinker_mock.tokenizer.errors import TokenizerError

REASONING_FIELDS = ("reasoning_content", "thinking", "reasoning")
# The space behind it tells whether the template trims the message's end.
MARK = "CONTINUE_FINAL_MESSAGE_TAG "


@dataclass(frozen=True)
class FinalMessage:
    """The text that is gone on with."""

    text: str

    @classmethod
    def opened(cls, chat: list[dict[str, Any]], field: bool | str, source: str) -> "FinalMessage":
        """Set the mark in the last message's `field` (True: its content). Changes `chat`."""
        name = field if isinstance(field, str) else "content"
        last = chat[-1] if chat else {}
        if (text := last.get(name)) is None:
            raise _refused(f'the final message has no "{name}" to continue!')
        names = [name]
        if name in REASONING_FIELDS:
            names = [one for one in REASONING_FIELDS if last.get(one) == text]
        if not any(one in source for one in names):
            raise _refused(f'the chat template does not read "{name}".')
        if not isinstance(text, list | tuple):
            for one in names:
                last[one] = f"{text}{MARK}"
            return cls(str(text))
        for part in reversed(text):
            if isinstance(part, dict) and isinstance(part.get("text"), str):
                told = part["text"]
                part["text"] = told + MARK
                return cls(told)
        raise _refused("the final message has no text to continue!")

    def cut(self, prompt: str) -> str:
        """The prompt up to the end of the message."""
        mark = MARK.strip()
        if self.text.strip() not in prompt or mark not in prompt:
            raise _refused("the final message does not appear in the chat after rendering it.")
        at = prompt.rindex(mark)
        kept = prompt[:at]
        return kept if prompt[at : at + len(MARK)] == MARK else kept.rstrip()


def _refused(why: str) -> TokenizerError:
    return TokenizerError("validation", f"continue_final_message is set but {why}")
