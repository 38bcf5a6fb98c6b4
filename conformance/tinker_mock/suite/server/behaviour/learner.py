"""A model under training, as a client's loop sees it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.server import bodies


class Learner:
    """Numbers its requests and waits for each result."""

    def __init__(self, context: ScenarioContext) -> None:
        self.context = context
        self.session = context.session()
        self.model = context.model(self.session)
        self._seq_id = 0
        self._samples = 0

    def _next(self) -> int:
        self._seq_id += 1
        return self._seq_id

    def learn(
        self, data: Sequence[Mapping[str, Any]], rate: float, loss_fn: str = "cross_entropy"
    ) -> float:
        """One forward_backward and optim_step; the loss before the step."""
        work = bodies.train(self.model, self._next(), data, loss_fn)
        passed = self.context.submit("forward_backward", work)
        step = self.context.submit("optim_step", bodies.optim(self.model, self._next(), rate))
        loss = float(passed.result().at("/metrics/loss:sum"))
        step.result()
        return loss

    def logprobs(self, data: Sequence[Mapping[str, Any]]) -> list[list[float]]:
        """Each datum's log-probabilities under the weights as they are."""
        passed = self.context.submit("forward", bodies.forward(self.model, self._next(), data=data))
        result = passed.result()
        return [bodies.logprobs(result, index) for index in range(len(data))]

    def sampler(self) -> str:
        """A sampling session of the weights as they are."""
        number = self.context.next_sampler(self.session)
        body = bodies.save_sampler(self.model, self._next(), sampling_session_seq_id=number)
        saved = self.context.submit("save_weights_for_sampler", body).result()
        return str(saved.at("/sampling_session_id"))

    def sample(self, sampler: str, prompt: Sequence[int], **options: Any) -> list[dict[str, Any]]:
        """The sequences of one sampling request."""
        self._samples += 1
        body = bodies.sample(sampler, self._samples, prompt=bodies.text(*prompt), **options)
        found: list[dict[str, Any]] = self.context.submit("asample", body).result().at("/sequences")
        return found


def answer_datum(
    prompt: Sequence[int], answer: Sequence[int], **per_answer_token: Sequence[float]
) -> dict[str, Any]:
    """Training data that counts the answer's tokens only; further inputs are 0 on the prompt."""
    whole = [*prompt, *answer]
    lead = [0.0] * (len(prompt) - 1)
    inputs: dict[str, Any] = {
        name: bodies.tensor([*lead, *values]) for name, values in per_answer_token.items()
    }
    inputs["target_tokens"] = bodies.tensor(whole[1:], "int64")
    return {"model_input": bodies.text(*whole[:-1]), "loss_fn_inputs": inputs}


@dataclass(frozen=True)
class LearningRun:
    """`curves` maps a name to one number per step; `kept` says whether the promise held."""

    title: str
    promise: str
    kept: bool
    expected: str
    actual: str
    curves: dict[str, list[float]] = field(default_factory=dict)
