"""What the transformer noticed and nobody must die of."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

logger = logging.getLogger("tinker_mock.kimi")


@dataclass(frozen=True)
class Report:
    """One finding. `kind` is one of `KINDS`, `detail` says where and what."""

    kind: str
    detail: str


KINDS = {
    "bad-body": "a response that is not the JSON it says to be; passed on as it came",
    "unparsed": "marked text that is no tool call; left in the content",
    "id-repaired": "a tool-call id that was not in the conversation's form",
    "finish-reason": "an answer with tool calls that did not finish with tool_calls",
    "history-id": "a past tool-call id that was not in Kimi's form, or was used before",
    "reasoning-added": "a past turn with calls and without the reasoning that thinking demands",
    "tool-choice": "a forced tool choice that the model would have refused",
    "tool-fragment": "a fragment of a tool call that could not be used",
}

Reporter = Callable[[Report], None]


def log_report(report: Report) -> None:
    """The default: one debug line."""
    logger.debug("%s: %s", report.kind, report.detail)
