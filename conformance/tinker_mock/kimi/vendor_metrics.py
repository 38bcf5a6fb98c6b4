"""The published metrics of Moonshot's vendor verifier: tool_call_f1 and schema_accuracy.

Source: MoonshotAI/K2-Vendor-Verifier README and tool_calls_eval.py (commit 0bc5061).
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jsonschema_rs

TOOL_CALLS = "tool_calls"


def valid_call(call: Any, tools: Iterable[Any]) -> bool:
    """The call names a tool with a schema, and its arguments satisfy it.

    As published, a tool with an empty schema (`{}`) counts as having none: never valid.
    """
    try:
        name, arguments = call["function"]["name"], call["function"]["arguments"]
        schema = next(
            (tool["function"]["parameters"] for tool in tools if tool["function"]["name"] == name),
            None,
        )
        if not schema:
            return False
        value = json.loads(arguments) if isinstance(arguments, str) else arguments
        return bool(jsonschema_rs.validator_for(schema, retriever=_absent).is_valid(value))
    except (KeyError, TypeError, ValueError, jsonschema_rs.ValidationError):
        return False


def _absent(uri: str) -> Any:
    """References out of a tool's schema lead nowhere: a score opens and fetches nothing."""
    raise ValueError(f"{uri} is outside of the schema")


def trigger_similarity(pairs: Iterable[Sequence[str]]) -> dict[str, float | int]:
    """tool_call_f1 of (model, official) finish reasons, with its counts."""
    counts: Counter[str] = Counter()
    for model, official in pairs:
        model_calls, official_calls = model == TOOL_CALLS, official == TOOL_CALLS
        kind = ("t" if model_calls == official_calls else "f") + ("p" if model_calls else "n")
        counts[kind] += 1
    tp, fp, fn, tn = (counts[kind] for kind in ("tp", "fp", "fn", "tn"))
    precision = tp / (tp + fp) if tp + fp else 0.0
    recall = tp / (tp + fn) if tp + fn else 0.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return {
        "tp": tp,
        "fp": fp,
        "fn": fn,
        "tn": tn,
        "tool_call_precision": precision,
        "tool_call_recall": recall,
        "tool_call_f1": f1,
    }


@dataclass
class Summary:
    """One run over a request file, with the published keys."""

    success_count: int = 0
    failure_count: int = 0
    finish_stop: int = 0
    finish_tool_calls: int = 0
    finish_others: int = 0
    finish_others_detail: Counter[str] = field(default_factory=Counter)
    schema_validation_error_count: int = 0
    successful_tool_call_count: int = 0

    def add(self, finish_reason: str | None, calls: Sequence[Any], tools: Sequence[Any]) -> None:
        """One answered request. A `tool_calls` finish without calls is a schema error."""
        self.success_count += 1
        if finish_reason == "stop":
            self.finish_stop += 1
        elif finish_reason == TOOL_CALLS:
            self.finish_tool_calls += 1
            if calls and all(valid_call(call, tools) for call in calls):
                self.successful_tool_call_count += 1
            else:
                self.schema_validation_error_count += 1
        else:
            self.finish_others += 1
            self.finish_others_detail[str(finish_reason)] += 1

    @property
    def schema_accuracy(self) -> float | None:
        """Share of `tool_calls` finishes whose calls are all valid; None without any."""
        if not self.finish_tool_calls:
            return None
        return self.successful_tool_call_count / self.finish_tool_calls

    def as_dict(self) -> dict[str, Any]:
        """The published summary, with schema_accuracy."""
        return {
            **vars(self),
            "finish_others_detail": dict(self.finish_others_detail),
            "schema_accuracy": self.schema_accuracy,
        }


def prepare_request(request: Mapping[str, Any], model: str) -> dict[str, Any]:
    """A recorded request for one model: role `_input` is `system`, streams report usage."""
    messages = [
        {**message, "role": "system"} if message.get("role") == "_input" else dict(message)
        for message in request.get("messages", ())
    ]
    prepared = {**request, "model": model, "messages": messages}
    if prepared.get("stream"):
        prepared["stream_options"] = {"include_usage": True}
    return prepared
