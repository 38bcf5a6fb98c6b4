"""Losses that clients write themselves, by value: every operation, other inputs, refusals."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.verdict import Inapplicable, expect
from tinker_mock.suite.oracle.traced import Floats, Tracing, Written, slopes_of, value_of
from tinker_mock.suite.oracle.written_losses import ELEMENTS, REDUCED, SHAPED
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.bench import PLAIN, Bench, Trainee
from tinker_mock.suite.server.scenario import scenario

SIX = (11, 12, 13, 14, 15, 16, 17)
TABLES: dict[str, Mapping[str, Written]] = {
    "training/custom-loss/elements": ELEMENTS,
    "training/custom-loss/reductions": REDUCED,
    "training/custom-loss/shapes": SHAPED,
}
GROUP = 8
"""Losses whose gradients are looked at together."""


class Writer:
    """Uploads losses, and trains with them."""

    def __init__(self, context: ScenarioContext, bench: Bench) -> None:
        self.context = context
        self.bench = bench
        self._count = 0

    def upload(self, graph: dict[str, Any], **inputs: int) -> str:
        """The id of a loss, empty if it is refused; Inapplicable where there are no such losses."""
        self._count += 1
        ranks = {"logprobs": 1, **inputs}
        body = {
            "session_id": self.bench.session,
            "custom_loss_seq_id": self._count,
            "name": "written",
            "inputs": [{"name": name, "rank": rank} for name, rank in ranks.items()],
            "graph": graph,
        }
        sent = self.context.submit("create_custom_loss", body, wrong=True)
        if sent.reply.status in (404, 405):
            raise Inapplicable("the server runs no losses of clients")
        made = sent.outcome()
        return "" if made.failed else str(made.at("/loss_id"))

    def pass_through(self, model: Trainee, loss: str, data: list[dict[str, Any]]) -> dict[str, Any]:
        """The metrics of a pass with an uploaded loss."""
        number = self.context.number(model.model)
        work = bodies.train(model.model, number, data, "custom", {"loss_id": loss})
        found = self.context.submit("forward_backward", work).result()
        metrics: dict[str, Any] = found.at("/metrics")
        return metrics


def weighted(written: Written, weight: float) -> Written:
    """The loss times a number."""
    return lambda t, x: written(t, x) * weight


@scenario("training/written-losses")
def written_losses(context: ScenarioContext) -> None:
    """A loss for each operation: its value, and what it does to a model."""
    bench = Bench(context)
    writer = Writer(context, bench)
    logprobs = bench.fresh().look([bodies.datum(*SIX)])
    for check, losses in TABLES.items():
        with context.check(check):
            for group in groups(losses):
                judge(bench, writer, logprobs, group)
    inputs(context, bench, writer, logprobs)
    refusals(context, writer)


def groups(losses: Mapping[str, Written]) -> Iterator[dict[str, Written]]:
    """A few of them at a time."""
    names = list(losses)
    for start in range(0, len(names), GROUP):
        yield {name: losses[name] for name in names[start : start + GROUP]}


def judge(bench: Bench, writer: Writer, logprobs: Floats, losses: Mapping[str, Written]) -> None:
    """Each loss by its value, and all together by the step that they cause."""
    model, slopes, said = bench.fresh(), np.zeros(logprobs.size), []
    for name, written in losses.items():
        size = float(np.abs(slopes_of(written, logprobs)).max())
        scaled = weighted(written, 0.25 / size if size > 1e-9 else 1.0)
        tracing = Tracing("logprobs")
        loss = writer.upload(tracing.graph(scaled(tracing, tracing.given[0])))
        if not loss:  # nobody has promised which operations there are
            continue
        said.append(name)
        metrics = writer.pass_through(model, loss, [bodies.datum(*SIX)])
        want = value_of(scaled, logprobs)
        got = float(metrics["loss:sum"])
        expect(bench.tolerance.worst(got, want, 0.05) <= 1, f"the loss {name}", want, got)
        slopes += slopes_of(scaled, logprobs)
    model.step(bench.plain, **PLAIN)
    data = [bodies.datum(*SIX, weights=bodies.tensor((-slopes).tolist()))]
    twin = bench.fresh()
    twin.gather(data)
    twin.step(bench.plain, **PLAIN)
    bench.same(model.look(), twin.look(), f"the derivatives of {', '.join(said)}")


def inputs(context: ScenarioContext, bench: Bench, writer: Writer, logprobs: Floats) -> None:
    """Further inputs, several data, metrics, targets of two dimensions."""
    advantages = np.array([0.5, -1.0, 2.0, 1.5, -0.25, 1.0])
    datum = bodies.datum(*SIX, advantages=bodies.tensor(advantages.tolist()))
    other = bodies.datum(*SIX[1:5], advantages=bodies.tensor([2.0, -1.0, 0.5]))
    tracing = Tracing("logprobs", "advantages")
    x, given = tracing.given
    product = tracing.sum(x * given)
    metrics = {"custom/product:sum": product, "custom/size:mean": tracing.sum(x)}
    loss = writer.upload(tracing.graph(product, metrics), advantages=1)
    model = bench.fresh()
    second = model.look([bodies.datum(*SIX[1:5])])
    with context.check("training/custom-loss/inputs"):
        expect(loss, "further inputs are taken", "an id", "refused")
        told = writer.pass_through(model, loss, [datum, other])
        values = [(logprobs * advantages).sum(), (second * [2.0, -1.0, 0.5]).sum()]
        want = {
            "loss:sum": sum(values), "custom/product:sum": sum(values),
            "custom/size:mean": (logprobs.sum() + second.sum()) / 2,
        }  # fmt: skip
        for name, value in want.items():
            fine = bench.tolerance.worst(told.get(name, np.nan), value, 1.0) <= 1
            expect(fine, f"{name} over both data", value, told)
    with context.check("training/custom-loss/matrix"):
        tracing = Tracing("logprobs")
        ranked = tracing.sum(tracing.square(tracing.given[0][:, 1]))
        loss = writer.upload(tracing.graph(ranked), logprobs=2)
        expect(loss, "log-probabilities of two dimensions are taken", "an id", "refused")
        targets = [token for place in SIX[1:] for token in (place + 40, place)]
        wide = bodies.tensor(targets, "int64", [6, 2])
        ones = bodies.tensor([1.0] * 12, shape=[6, 2])
        data = [bodies.datum(*SIX, target_tokens=wide, weights=ones)]
        got = float(writer.pass_through(model, loss, data)["loss:sum"])
        want_loss = float((logprobs**2).sum())
        fine = bench.tolerance.worst(got, want_loss, 1.0) <= 1
        expect(fine, "of the second targets", want_loss, got)


def refusals(context: ScenarioContext, writer: Writer) -> None:
    """Graphs that are none."""
    tracing = Tracing("logprobs")
    x = tracing.given[0]
    fine, whole = tracing.graph(tracing.sum(x)), tracing.graph(x * 2.0)
    wrong: dict[str, dict[str, Any]] = {
        "an operation that opens a file": changed(fine, 1, target="builtins.open"),
        "an operation of another module": changed(fine, 1, target="os.system"),
        "a module": changed(fine, 1, op="call_module"),
        "a reference to nothing": changed(fine, 1, args=[{"ref": "nobody"}]),
        "two nodes of one name": changed(fine, 1, name="logprobs"),
        "no output": {**fine, "nodes": fine["nodes"][:-1]},
        "another format": {**fine, "format": 2},
        "an odd metric": tracing.graph(tracing.sum(x), {"my metric": tracing.sum(x)}),
    }
    with context.check("training/custom-loss/refused"):
        for name, graph in wrong.items():
            expect(not writer.upload(graph), f"{name} is refused", "an error", "an id")
        expect(not writer.upload(fine, advantages=1), "an input that it lacks is refused", "", "")
        vector = tracing.graph(tracing.sum(x), {"custom/vector:sum": x})
        for name, graph in (("a loss", whole), ("a metric", vector)):
            loss = writer.upload(graph)
            if loss:
                model = writer.bench.fresh()
                number = context.number(model.model)
                work = bodies.train(model.model, number, None, "custom", {"loss_id": loss})
                tried = context.submit("forward_backward", work, wrong=True).outcome()
                expect(tried.failed, f"{name} that is no scalar is refused", "", tried.value)


def changed(graph: dict[str, Any], place: int, **fields: Any) -> dict[str, Any]:
    """A graph with another node at a place."""
    nodes = [dict(node) for node in graph["nodes"]]
    nodes[place].update(fields)
    return {**graph, "nodes": nodes}
