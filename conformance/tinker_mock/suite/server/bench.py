"""Equal models that are trained differently, and what that does to their log-probabilities.

Parameters are not seen over the wire, so steps are compared with steps: two that must move every
parameter by the same amount must leave the same log-probabilities, whatever the model is.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.promises import Outcome
from tinker_mock.suite.core.verdict import Inapplicable, Lacking, Unmet, expect
from tinker_mock.suite.oracle.precision import PRECISIONS, Tolerance
from tinker_mock.suite.server import bodies

Floats = NDArray[np.float64]
Data = Sequence[Mapping[str, Any]]

TEXT = (11, 12, 13, 14, 15, 16)
OTHER = (21, 22, 23, 24)
PLAIN = {"beta1": 0.0, "beta2": 0.0, "eps": 100.0}
"""Adam whose eps is much larger than any gradient: a step is rate / eps times the gradient."""
SIGNS = {"beta1": 0.0, "beta2": 0.0, "eps": 1e-12}
"""Adam whose step is the rate, in the direction of the gradient's sign."""
UNLIKE = "equal models do not train alike here (models/create/same-seed says so once)"
SEEN = 0.15
"""About how far, in nats, a step should move a log-probability to be measured."""


def seen_data() -> list[dict[str, Any]]:
    """What a model is looked at with."""
    return [bodies.datum(*TEXT), bodies.datum(*OTHER)]


def usable(context: ScenarioContext, model: str) -> None:
    """Unmet unless a new model learns."""
    first = context.submit("forward_backward", bodies.train(model, 1)).result()
    context.submit("optim_step", bodies.optim(model, 2)).result()
    again = context.submit("forward_backward", bodies.train(model, 3)).result()
    gained = sum(bodies.logprobs(again)) - sum(bodies.logprobs(first))
    if not gained > 0:
        raise Lacking("a step makes its data likelier", "> 0", gained, whole=True)


class Trainee:
    """One model of a bench: numbers its requests and waits for each result."""

    def __init__(self, context: ScenarioContext, model: str) -> None:
        self.context = context
        self.model = model

    def gather(
        self, data: Data, loss_fn: str = "cross_entropy", config: Mapping[str, float] | None = None
    ) -> Outcome:
        """forward_backward."""
        number = self.context.number(self.model)
        work = bodies.train(self.model, number, data, loss_fn, config)
        return self.context.submit("forward_backward", work).result()

    def idle(self) -> None:
        """forward_backward of data that count for nothing: a gradient of zeros."""
        self.gather([bodies.datum(*TEXT, weight=0.0)])

    def step(self, rate: float, **params: float) -> Outcome:
        """optim_step."""
        body = bodies.optim(self.model, self.context.number(self.model), rate, **params)
        return self.context.submit("optim_step", body).result()

    def look(self, data: Data | None = None) -> Floats:
        """The log-probabilities of all targets, end to end."""
        data = data or seen_data()
        number = self.context.number(self.model)
        work = bodies.forward(self.model, number, data=data)
        found = self.context.submit("forward", work).result()
        return np.concatenate([bodies.logprobs(found, place) for place in range(len(data))])


class Bench:
    """Makes equal models, and knows which rates move them by a measurable amount."""

    def __init__(self, context: ScenarioContext) -> None:
        self.context = context
        self.session = context.session()
        self.tolerance: Tolerance = PRECISIONS[context.target.precision]
        self.base = self.first_look()
        self._rates: dict[str, float] = {}
        self._known: tuple[float, Mapping[str, float], Floats] | None = None
        """A step that was measured: its rate, its regime, and what it did."""

    def first_look(self) -> Floats:
        """What a new model says. Inapplicable where forward does not work, as its checks say."""
        model = self.fresh()
        body = bodies.forward(model.model, self.context.number(model.model), data=seen_data())
        tried = self.context.submit("forward", body).outcome()
        if tried.failed:
            raise Inapplicable("forward fails here (training/forward/repeatable says so)")
        try:
            found = [bodies.logprobs(tried, place) for place in range(len(seen_data()))]
        except Unmet as unmet:
            told = "data are not answered one by one (training/result/one-output-per-datum says so)"
            raise Inapplicable(told) from unmet
        return np.concatenate(found)

    def fresh(self) -> Trainee:
        """A new model, equal to all others of the bench."""
        return Trainee(self.context, self.context.model(self.session))

    def moved(
        self,
        rate: float,
        params: Mapping[str, float],
        data: Data | None = None,
        loss_fn: str = "cross_entropy",
        config: Mapping[str, float] | None = None,
    ) -> Floats:
        """The log-probabilities' change by one step of a fresh model."""
        model = self.fresh()
        model.gather(data or [bodies.datum(*TEXT)], loss_fn, config)
        model.step(rate, **params)
        seen = model.look()
        self.context.done_with(model.model)
        return seen - self.base

    def rate(self, regime: Mapping[str, float], start: float) -> float:
        """A rate at which one step is seen. Inapplicable where equal models do not train alike."""
        key = repr(sorted(regime.items()))
        if key not in self._rates:
            rate = start
            for _ in range(4):
                size = float(np.abs(self.moved(rate, regime)).max())
                expect(size > 0, "a step changes log-probabilities", "> 0", size)
                if SEEN / 4 <= size <= SEEN * 2:
                    break
                rate *= min(1e4, max(1e-4, SEEN / size))
            first, second = self.moved(rate, regime), self.moved(rate, regime)
            if self.tolerance.worst(first, second, SEEN) > 1:
                raise Inapplicable(UNLIKE)
            self._rates[key], self._known = rate, (rate, regime, first)
        return self._rates[key]

    @property
    def plain(self) -> float:
        """A rate for PLAIN steps."""
        return self.rate(PLAIN, 1000.0)

    @property
    def signs(self) -> float:
        """A rate for SIGNS steps."""
        return self.rate(SIGNS, 1e-4)

    def same(self, actual: Floats, expected: Floats, message: str, slack: float = 1.0) -> None:
        """Unmet unless both changes are equal; `slack` is how many tolerances they may differ."""
        size = float(np.abs(expected).max(initial=0.0))
        worst = self.tolerance.worst(actual, expected, size)
        if worst > slack and not self.steady():
            raise Inapplicable(UNLIKE)
        expect(worst <= slack, message, rounded(expected), rounded(actual))

    def steady(self) -> bool:
        """Whether the step that was measured first is still the same: else nothing is proved."""
        if self._known is None:
            return True
        rate, regime, then = self._known
        return self.tolerance.worst(self.moved(rate, regime), then, SEEN) <= 1


def rounded(values: Floats) -> list[float]:
    """Numbers for messages."""
    return [round(float(value), 5) for value in values]
