"""KimiTransformer: the Kimi K2 rules around any OpenAI-compatible chat endpoint.

Plain functions on dicts and bytes, no I/O; `httpx_transport` and `asgi` carry them to clients
and servers. An instance holds options only and may be shared: state belongs to one answer.
"""

from collections.abc import Mapping
from typing import Any

from tinker_mock.kimi import json_text, original
from tinker_mock.kimi.answers import rewrite_answer
from tinker_mock.kimi.histories import with_kimi_ids, with_reasoning
from tinker_mock.kimi.javascript import stringify
from tinker_mock.kimi.options import KimiOptions, OptionError
from tinker_mock.kimi.reports import Report, Reporter, log_report
from tinker_mock.kimi.streams import ChunkStream, StreamRewriter, is_streaming
from tinker_mock.kimi.thinking import thinks, with_possible_tool_choice

TOOL_MESSAGE_RULE = "Tool messages must have tool_call_id and content"


class ToolMessageError(ValueError):
    """A `role: tool` message without an id or content: no Kimi endpoint can place it."""


class KimiTransformer:
    """Options, and what they mean for a request, an answer and a stream."""

    name = "Kimi"
    end_point = "/v1/chat/completions"

    def __init__(
        self,
        options: KimiOptions | Mapping[str, Any] | None = None,
        *,
        compat: str | None = None,
        report: Reporter = log_report,
    ) -> None:
        if compat not in (None, "original"):
            raise OptionError(f"compat must be None or 'original', not {compat!r}")
        self.original = compat == "original"
        if not isinstance(options, KimiOptions):
            options = KimiOptions.from_json(options, strict=not self.original)
        self.options = options
        self.report = report

    def request_in(self, request: dict[str, Any]) -> dict[str, Any]:
        """The request for the provider. Raises `ToolMessageError` (see `accept_role_tool`)."""
        out = self.request_out(request)
        if self.options.accept_role_tool:
            messages = request.get("messages")
            if self.original and not isinstance(messages, list):
                raise ToolMessageError("request.messages is not iterable")
            for index, message in enumerate(messages if isinstance(messages, list) else ()):
                self._check_tool_message(index, message)
        if self.original and out != request:
            request["tool_choice"] = out["tool_choice"]  # the original changes its argument
            return request
        return out if self.original else self._acceptable(out)

    def _acceptable(self, request: dict[str, Any]) -> dict[str, Any]:
        """A copy that a Kimi endpoint takes, with the history it understands."""
        if self.options.fit_tool_choice:
            request = with_possible_tool_choice(request, self.report)
        messages = request.get("messages")
        if not self.options.repair_history or not isinstance(messages, list):
            return request
        if self.options.repairs_ids:
            messages = with_kimi_ids(messages, self.options.id_prefix, self.report)
        if thinks(request):
            messages = with_reasoning(messages, self.report)
        return {**request, "messages": messages}

    def request_out(self, request: dict[str, Any]) -> dict[str, Any]:
        """A copy with `tool_choice` filled in when there are tools and no choice."""
        out = dict(request)
        tools = out.get("tools")
        if isinstance(tools, list) and tools and not out.get("tool_choice"):
            out["tool_choice"] = self.options.tool_choice_default
        return out

    def _check_tool_message(self, index: int, message: Any) -> None:
        if not isinstance(message, Mapping) or message.get("role") != "tool":
            return
        content = message.get("content")
        missing = [
            name
            for name, there in (
                ("tool_call_id", bool(message.get("tool_call_id"))),
                ("content", bool(content) or isinstance(content, (list, dict))),
            )
            if not there
        ]
        if missing:
            where = "" if self.original else f" (messages[{index}] lacks {' and '.join(missing)})"
            raise ToolMessageError(TOOL_MESSAGE_RULE + where)

    def response(self, body: Any, request: Mapping[str, Any] | None = None) -> Any:
        """A whole answer, put right. Never raises; what is not understood stays as it is."""
        if self.original:
            return body if request is None else original.rewrite_answer(body, request, self.options)
        if not isinstance(body, Mapping):
            self.report(Report("bad-body", "the answer is not a JSON object"))
            return body
        return rewrite_answer(body, request or {}, self.options, self.report)

    def response_bytes(self, body: bytes, request: Mapping[str, Any] | None = None) -> bytes:
        """`response` for a body as it came; one that is not JSON passes unchanged."""
        try:
            parsed = json_text.read(body)
        except ValueError:
            self.report(Report("bad-body", f"not JSON: {body[:200]!r}"))
            return body
        changed = self.response(parsed, request)
        if changed == parsed:
            return body
        return stringify(changed).encode() if self.original else json_text.write(changed)

    def stream(
        self, content_type: str, request: Mapping[str, Any] | None = None
    ) -> StreamRewriter | None:
        """A rewriter for one stream of this content type; None if it is no stream."""
        if not is_streaming(content_type):
            return None
        if self.original:
            return original.OriginalStream(request, self.options)
        return ChunkStream(content_type, request or {}, self.options, self.report)
