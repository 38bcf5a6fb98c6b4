"""What all tokenizers share besides encoding: chat templates, streams, loading by path."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol, cast, overload, runtime_checkable

from tinker_mock.tokenizer.encodings import Encoding
from tinker_mock.tokenizer.errors import TokenizerError
from tinker_mock.tokenizer.protocols import SpecialTokens, Tokenizer
from tinker_mock.tokenizer.streams import DecodeStream
from tinker_mock.tokenizer.template_format import ContentFormat, content_format
from tinker_mock.tokenizer.templates import (
    ARGUMENTS,
    ChatTemplate,
    Rendered,
    plain_tools,
    variables_of,
)

NO_TEMPLATE = (
    "Cannot use chat template functions because tokenizer.chat_template is not set and no "
    "template argument was passed!"
)
EMPTY = "Cannot apply chat template to an empty conversation. Provide at least one message."
BOTH = (
    "continue_final_message and add_generation_prompt are not compatible: the first goes on with "
    "the final message, the second begins another one."
)


@runtime_checkable
class LoadedTokenizer(Tokenizer, Protocol):
    """What `load_tokenizer` gives: the facade, with offsets, streams and the template's form."""

    def encoding(
        self,
        text: str,
        *,
        add_special_tokens: bool = False,
        allow_special_tokens: bool | None = None,
    ) -> Encoding:
        """As `encode`, with the tokens and their places in the text."""
        ...

    @property
    def content_format(self) -> ContentFormat:
        """Whether the template wants message content as a string or as a list of parts."""
        ...

    def decode_stream(
        self, prompt: Sequence[int] = (), *, skip_special_tokens: bool = False
    ) -> DecodeStream:
        """A stream that tells tokens as text, after those of `prompt`."""
        ...


class Templated:
    """A tokenizer's chat template, rendered with its special tokens."""

    chat_template: ChatTemplate | None = None
    special_tokens: SpecialTokens = SpecialTokens()

    @staticmethod
    def from_file(path: str | Path, **options: Any) -> LoadedTokenizer:
        """The tokenizer in a file or directory; options are those of `LoadOptions`."""
        factory = import_module("tinker_mock.tokenizer.factory")
        return cast(LoadedTokenizer, factory.load_tokenizer(path, **options))

    @property
    def content_format(self) -> ContentFormat:
        """Whether the template wants message content as a string or as a list of parts."""
        return content_format(self.chat_template.source) if self.chat_template else "string"

    def decode_stream(
        self, prompt: Sequence[int] = (), *, skip_special_tokens: bool = False
    ) -> DecodeStream:
        """A stream that tells tokens as text, after those of `prompt`."""
        this = cast(LoadedTokenizer, self)
        return DecodeStream(this, prompt, skip_special_tokens=skip_special_tokens)

    @overload
    def apply_chat_template(
        self,
        messages: Sequence[Any],
        *,
        tokenize: Literal[False] = False,
        **options: Any,
    ) -> str: ...

    @overload
    def apply_chat_template(
        self,
        messages: Sequence[Any],
        *,
        tokenize: bool,
        **options: Any,
    ) -> Any: ...

    def apply_chat_template(
        self,
        messages: Sequence[Any],
        *,
        tools: Sequence[Any] | None = None,
        documents: Sequence[Any] | None = None,
        chat_template: str | None = None,
        add_generation_prompt: bool = False,
        continue_final_message: bool | str = False,
        tokenize: bool = False,
        return_dict: bool = False,
        return_assistant_tokens_mask: bool = False,
        guarded: bool = False,
        **variables: Any,
    ) -> Any:
        """See `protocols.Tokenizer.apply_chat_template`. `guarded` gives the text that
        `encode_prompt` wants."""
        template = self.chat_template or (ChatTemplate(chat_template) if chat_template else None)
        if template is None:
            raise TokenizerError(
                "no_chat_template",
                NO_TEMPLATE,
                fix="Put a chat_template.jinja beside the tokenizer or pass chat_template=.",
            )
        if len(messages) == 0:
            raise TokenizerError("validation", EMPTY)
        if continue_final_message and add_generation_prompt:
            raise TokenizerError("validation", BOTH)
        _check_mask(return_assistant_tokens_mask, tokenize and return_dict, continue_final_message)
        tools = None if tools is None else self.prepared_tools(plain_tools(tools))
        source = template.chosen(chat_template, tools)
        self._check_variables(source, variables)
        variables = {**self.template_extras(source, tools), **variables}
        chat = self.prepared_messages(list(map(_without_none, messages)), source)
        if tokenize or guarded:
            chat, tools = self.guarded(chat, source), self.guarded(tools, source)
        rendered = template.render_with_spans(
            chat,
            tools=tools,
            documents=documents,
            chat_template=chat_template,
            add_generation_prompt=add_generation_prompt,
            continue_final_message=continue_final_message,
            **{**self.special_tokens.template_variables(), **variables},
        )
        if not tokenize:
            return rendered.text
        return self._tokenized(rendered, return_dict, return_assistant_tokens_mask)

    def prepared_messages(self, messages: list[Any], source: str) -> list[Any]:
        """The messages as the model's own tokenizer hands them to its template."""
        return messages

    def prepared_tools(self, tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The tools as the model's own tokenizer hands them to its template."""
        return tools

    def guarded(self, said: Any, source: str) -> Any:
        """Messages or tools whose texts cannot become control tokens of `encode_prompt`, where
        the model's own tokenizer sees to that."""
        return said

    def encode_prompt(self, text: str) -> list[int]:
        """The ids of a rendered prompt."""
        return cast(LoadedTokenizer, self).encode(text)

    def template_extras(self, source: str, tools: list[dict[str, Any]] | None) -> dict[str, Any]:
        """Variables that the model's own tokenizer adds for its template."""
        return {}

    def _check_variables(self, source: str, variables: dict[str, Any]) -> None:
        """Raises TokenizerError `unknown_argument` for a name that the template does not read."""
        read = variables_of(source) | ARGUMENTS | set(self.special_tokens.template_variables())
        if unknown := sorted(set(variables) - read):
            raise TokenizerError(
                "unknown_argument",
                f"apply_chat_template has no argument {unknown[0]!r}, and the chat template "
                "does not read a variable of this name.",
                fix=f"It reads: {', '.join(sorted(variables_of(source) - ARGUMENTS)) or 'none'}.",
                detail=unknown,
            )

    def _tokenized(self, rendered: Rendered, return_dict: bool, mask: bool) -> Any:
        this = cast(LoadedTokenizer, self)
        if not mask:
            ids = self.encode_prompt(rendered.text)
            return {"input_ids": ids, "attention_mask": [1] * len(ids)} if return_dict else ids
        encoding = this.encoding(rendered.text)
        spoken = {at for span in rendered.generation_spans for at in encoding.covering(*span)}
        return {
            "input_ids": encoding.token_ids(),
            "attention_mask": [1] * len(encoding),
            "assistant_masks": [int(at in spoken) for at in range(len(encoding))],
        }


def _check_mask(mask: bool, into_dict: bool, continued: bool | str) -> None:
    if mask and not into_dict:
        raise TokenizerError(
            "validation",
            "return_assistant_tokens_mask=True requires return_dict=True and tokenize=True.",
        )
    if mask and continued:
        raise TokenizerError(
            "validation",
            "continue_final_message is not compatible with return_assistant_tokens_mask.",
        )


def _without_none(message: Any) -> Any:
    """A message without its keys of no value: templates handle a missing key, and write "None"
    for one of None."""
    if not isinstance(message, Mapping):
        return message
    return {key: value for key, value in message.items() if value is not None}
