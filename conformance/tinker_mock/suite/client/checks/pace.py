"""How a client keeps pace with a server that works in clock cycles."""

import base64

from tinker_mock.suite.client.judging import judges, need
from tinker_mock.suite.client.traffic import RecordedExchange, Traffic
from tinker_mock.suite.core.proto import decode_result
from tinker_mock.suite.core.verdict import expect

CLOCK_CYCLE = "clock_cycle:unique"


def told_cycles(traffic: Traffic) -> dict[str, float]:
    """Request id of each pass -> the clock cycle that its result names."""
    passes = {one.answer.get("request_id") for one in traffic.of("forward_backward")} - {None}
    found: dict[str, float] = {}
    for poll in traffic.polls:
        if poll.body.get("request_id") not in passes:
            continue
        body = poll.entry.get("response_body")
        answer = poll.answer
        if isinstance(body, dict) and set(body) == {"base64"}:
            answer = decode_result(base64.b64decode(body["base64"]), "forward_backward")
        metrics = answer.get("metrics") if poll.ok else None
        if metrics and CLOCK_CYCLE in metrics:
            found[str(poll.body.get("request_id"))] = float(metrics[CLOCK_CYCLE])
    return found


def first_passes(lane: list[RecordedExchange]) -> list[str]:
    """The request id of the first pass of every training step of a model."""
    found, fresh = [], True
    for one in sorted(lane, key=lambda one: int(one.body.get("seq_id") or 0)):
        if one.operation == "forward_backward" and fresh:
            found.append(str(one.answer.get("request_id")))
            fresh = False
        elif one.operation == "optim_step":
            fresh = True
    return found


@judges("client/training/pipelined", "cycles")
def pipelined(traffic: Traffic) -> None:
    cycles = told_cycles(traffic)
    paces = []
    for model in {str(one.body.get("model_id")) for one in traffic.of("optim_step")}:
        lane = [one for one in traffic.ordered if one.body.get("model_id") == model and one.ok]
        if any(one.operation == "forward" or one.body.get("forward_only") for one in lane):
            continue  # a loss of the client's own needs two passes a step
        starts = [cycles[first] for first in first_passes(lane) if first in cycles]
        if len(starts) > 1:
            paces.append((starts[-1] - starts[0]) / (len(starts) - 1))
    need(paces, "no model was trained for two steps")
    expect(
        max(paces) <= 1,
        "a training step takes one clock cycle",
        "1 cycle a step",
        f"your loop took {max(paces):g} cycles a step; submit optim_step before waiting: 1",
    )
