"""Steps of dimuon, as far as they follow from what Muon is."""

from typing import Any

import numpy as np

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.promises import Outcome
from tinker_mock.suite.core.verdict import Inapplicable, expect, expect_equal
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.bench import TEXT, Bench, Floats, Trainee
from tinker_mock.suite.server.scenario import scenario

RATE = 0.02
MOVED = 0.2
"""About how far, in nats, a step should move a log-probability at most."""


def step(context: ScenarioContext, model: str, wrong: bool = False, **params: Any) -> Outcome:
    """optim_step, whatever comes of it."""
    body = {
        "optimizer_params": {"type": "dimuon", **params},
        "model_id": model,
        "seq_id": context.number(model),
        "type": "optim_step",
    }
    return context.submit("optim_step", body, wrong=wrong).outcome()


class Muon:
    """Equal models that are trained by dimuon."""

    def __init__(self, context: ScenarioContext, bench: Bench) -> None:
        self.context, self.bench = context, bench

    def fresh(self) -> Trainee:
        """A new model; Inapplicable where dimuon is refused."""
        config = {"type": "dimuon", "version": 1}
        made = self.context.create_model(self.bench.session, optimizer_config=config).outcome()
        if made.failed:
            raise Inapplicable("the server has no dimuon (training/optim/dimuon says so)")
        return Trainee(self.context, str(made.at("/model_id")))

    def moved(self, rate: float, weight: float = 1.0) -> Floats:
        """The log-probabilities' change by one step of a fresh model."""
        model = self.fresh()
        model.gather([bodies.datum(*TEXT, weight=weight)])
        step(self.context, model.model, learning_rate=rate).at("")
        return model.look() - self.bench.base


@scenario("training/dimuon")
def dimuon(context: ScenarioContext) -> None:
    """Scale, rate, refusals."""
    if not context.applies("training/dimuon/scale-free"):
        return
    bench = Bench(context)
    muon = Muon(context, bench)
    rate = RATE
    for _ in range(4):
        size = float(np.abs(muon.moved(rate)).max())
        expect(size > 0, "a step changes log-probabilities", "> 0", size)
        if MOVED / 8 <= size <= MOVED:
            break
        rate *= min(1e3, max(1e-3, MOVED / 2 / size))
    with context.check("training/dimuon/scale-free"):
        want = muon.moved(rate)
        bench.same(muon.moved(rate, weight=3.0), want, "three times the gradient, the same step", 3)
    with context.check("training/dimuon/rate"):
        whole, half = muon.moved(rate), muon.moved(rate / 2)
        share = float(np.dot(half, whole) / np.dot(whole, whole))
        expect(0.4 < share < 0.6, "half the rate moves half as far", "0.5", share)
    with context.check("training/dimuon/refused"):
        for params in ({}, {"learning_rate": -1.0}, {"learning_rate": rate, "beta2": 0.9}):
            tried = step(context, muon.fresh().model, wrong=True, **params)
            final = tried.failed and tried.reply.status < 500
            expect(final, f"{params} are refused as the user's", "4xx", tried.value)
    with context.check("weights/info/optimizer-kind"):
        model = muon.fresh().model
        saved = context.submit("save_weights", bodies.save(model, context.number(model), "kind"))
        path = str(saved.result().at("/path"))
        context.delete_checkpoint_later(path)
        info = context.client.call("get_weights_info", {"tinker_path": path}).require().json()
        kind = (info.get("optimizer_config") or {}).get("type")
        expect_equal(kind, "dimuon", "the optimizer that the model was created with")
