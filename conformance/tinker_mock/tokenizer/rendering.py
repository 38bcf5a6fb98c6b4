"""What all tokenizers share besides encoding: their chat template."""

from collections.abc import Mapping, Sequence
from typing import Any

from tinker_mock.tokenizer.errors import TokenizerError
from tinker_mock.tokenizer.protocols import SpecialTokens
from tinker_mock.tokenizer.templates import ChatTemplate

NO_TEMPLATE = (
    "Cannot use chat template functions because tokenizer.chat_template is not set and no "
    "template argument was passed!"
)


class Templated:
    """A tokenizer's chat template, rendered with its special tokens."""

    chat_template: ChatTemplate | None = None
    special_tokens: SpecialTokens = SpecialTokens()

    def apply_chat_template(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        documents: Sequence[Mapping[str, Any]] | None = None,
        add_generation_prompt: bool = False,
        **variables: Any,
    ) -> str:
        if self.chat_template is None:
            raise TokenizerError(
                "no_chat_template",
                NO_TEMPLATE,
                fix="Put a chat_template.jinja beside the tokenizer or pass chat_template=PATH.",
            )
        return self.chat_template.render(
            messages,
            tools=tools,
            documents=documents,
            add_generation_prompt=add_generation_prompt,
            **{**self.special_tokens.template_variables(), **variables},
        )
