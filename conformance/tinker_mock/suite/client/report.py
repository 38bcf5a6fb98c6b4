"""What a program says that it understood: the lines of the file in TINKER_MOCK_REPORT.

One JSON object a line, each with its kind in `value`; a program reports what it likes:

  sent            data: the targets of each datum, in the order they were given to the client;
                  `model`, here and in the next two: the lines are about that model alone
  logprobs        data: the log-probabilities of each datum, in that order
  loss            sum: loss:sum of one call
  sample          seed of the request; tokens, logprobs and stop_reasons of its sequences
  prompt_logprobs seed of the request; logprobs, null for the first
  queue           says: what it was told of a queue that stands still; `logged`: true if that is
                  what its client logs
  call            operation; asked: fields of its request, told: fields of its answer, both as the
                  contract spells them; error: status, category, and what it says; usual: fields
                  that may be left out, for they hold what is meant when nothing is said
  mistake         what the program did wrong on purpose; told: whether it was told so
"""

import json
from pathlib import Path
from typing import Any

ENVIRONMENT = "TINKER_MOCK_REPORT"
KINDS = ("sent", "logprobs", "loss", "sample", "prompt_logprobs", "queue", "call", "mistake")
Line = dict[str, Any]


def read_report(path: Path) -> list[Line]:
    """The lines of a report, none if there is no file; a line that is none is kept as `broken`."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError:
        return []
    return [parsed(line) for line in lines if line.strip()]


def parsed(line: str) -> Line:
    """One line; what is no line of a known kind is `broken`."""
    try:
        value = json.loads(line)
    except ValueError:
        value = None
    if isinstance(value, dict) and value.get("value") in KINDS:
        return value
    return {"value": "broken", "line": line[:200]}
