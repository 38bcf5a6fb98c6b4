"""`python -m workload`: run the steps, print one line of JSON after each."""

import json
import logging
import os
import sys
import time
import traceback
from typing import TextIO

from . import cli, mistakes, rest, sampling, training, weights
from .step import STEPS, Missing, NotInRelease, Shared, Step

GROUPS = (training, weights, sampling, rest, cli, mistakes)


def run(step: Step, shared: Shared) -> dict[str, object]:
    """Run one step; what came of it."""
    began = time.monotonic()
    status, reason = "pass", ""
    try:
        step.run(shared)
    except NotInRelease as absent:
        status, reason = "n/a", str(absent)
    except Missing as missing:
        status, reason = "fail", str(missing)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)
        mine = [frame for frame in where if "workload" in frame.filename][-1]
        line = f"{mine.name}:{mine.lineno}"
        status, reason = "fail", f"{type(error).__name__}: {error} ({line}: {mine.line})"
    took = round(time.monotonic() - began, 3)
    return {"step": step.id, "status": status, "reason": reason[:600], "seconds": took}


def main(out: TextIO) -> None:
    logging.disable(logging.CRITICAL)
    shared = Shared()
    order = [group.__name__ for group in GROUPS]
    steps = sorted(STEPS, key=lambda step: order.index(step.run.__module__))
    plan = [{"step": s.id, "text": s.text} for s in steps]
    print(json.dumps({"plan": plan}), file=out, flush=True)
    for step in steps:
        print(json.dumps(run(step, shared)), file=out, flush=True)


lines, sys.stdout = sys.stdout, sys.stderr
main(lines)
# The SDK's background threads would keep the process until their last retry.
os._exit(0)
