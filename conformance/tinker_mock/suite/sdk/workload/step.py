"""Steps of the workload, and what they share."""

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import tinker
from tinker import types

MODEL = os.environ.get("AUDIT_MODEL", "Qwen/Qwen3-8B")
VISION = "Qwen/Qwen3.5-4B"
"""Takes a picture of 8 x 8 pixels as 64 tokens."""
TEXT = [9707, 11, 1879, 0, 358, 1079, 264, 2613, 1614, 429, 15804, 553, 38561, 13, 151645]


class NotInRelease(Exception):
    """The release has no such thing; the message says what."""


class Missing(Exception):
    """An earlier step that this one builds on did not succeed."""


@dataclass(frozen=True)
class Step:
    """One thing users do, named `group/what`."""

    id: str
    text: str
    run: Callable[["Shared"], Any]


STEPS: list[Step] = []


def step(name: str, text: str) -> Callable[[Callable[["Shared"], Any]], Callable[["Shared"], Any]]:
    """Register a step; they run in the order of registration."""

    def register(run: Callable[["Shared"], Any]) -> Callable[["Shared"], Any]:
        STEPS.append(Step(name, text, run))
        return run

    return register


@dataclass
class Shared:
    """What steps leave for each other: clients, paths, outputs."""

    kept: dict[str, Any] = field(default_factory=dict)

    def keep(self, name: str, value: Any) -> Any:
        self.kept[name] = value
        return value

    def __getattr__(self, name: str) -> Any:
        try:
            return self.kept[name]
        except KeyError:
            raise Missing(f"needs {name!r} of an earlier step") from None


def method(owner: Any, name: str, *parameters: str) -> Any:
    """A method of the SDK; raises NotInRelease if it, or one of these parameters, is missing."""
    found = getattr(owner, name, None)
    kind = owner.__name__ if inspect.isclass(owner) else type(owner).__name__
    if found is None:
        raise NotInRelease(f"no {kind}.{name}")
    declared = inspect.signature(found).parameters
    for parameter in parameters:
        if parameter not in declared:
            raise NotInRelease(f"{kind}.{name} has no {parameter}")
    return found


def resolved(client: Any) -> Any:
    """The client itself: 0.38 hands out a future that forwards every call to it."""
    return client.result() if type(client).__name__.startswith("Backcompat") else client


def released(major_minor: str) -> bool:
    """Is this release at least that old?"""
    return version() >= tuple(map(int, major_minor.split(".")))


def version() -> tuple[int, ...]:
    return tuple(map(int, tinker.__version__.split(".")[:2]))


def tokenized() -> str:
    """The model whose tokenizer the server has in a local directory."""
    model = os.environ.get("AUDIT_TOKENIZED_MODEL")
    if not model:
        raise NotInRelease("the target offers no model with a local tokenizer")
    return model


def tensor(data: Any, dtype: str, shape: list[int] | None = None) -> Any:
    return types.TensorData(data=data, dtype=dtype, shape=shape or [len(data)])


def datum(tokens: list[int] = TEXT, **extra: list[float]) -> Any:
    """A next-token datum; `extra` adds float inputs."""
    n = len(tokens) - 1
    inputs = {"target_tokens": tensor(tokens[1:], "int64")}
    if not extra:
        extra = {"weights": [1.0] * n}
    inputs.update({name: tensor(values, "float32") for name, values in extra.items()})
    prompt = types.ModelInput.from_ints(tokens[:-1])
    return types.Datum(model_input=prompt, loss_fn_inputs=inputs)


def logprobs(output: Any) -> list[list[float]]:
    """Per datum."""
    return [list(entry["logprobs"].data) for entry in output.loss_fn_outputs]


def close(one: Any, other: Any, tolerance: float = 1e-5) -> bool:
    flat = [
        (a, b)
        for row, other_row in zip(one, other, strict=True)
        for a, b in zip(row, other_row, strict=True)
    ]
    return all(abs(a - b) <= tolerance for a, b in flat)


def refused(call: Callable[[], Any], *words: str) -> str:
    """The message of the exception that `call` must raise within a minute; `words` must be in it.

    Raises AssertionError if nothing was raised.
    """
    try:
        outcome = call()
        if hasattr(outcome, "result"):
            outcome.result(timeout=60)
    except (Missing, NotInRelease):
        raise
    except TimeoutError as error:
        raise AssertionError("no answer within a minute") from error
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
        absent = [word for word in words if word.lower() not in message.lower()]
        assert not absent, f"{message!r} does not say {absent}"
        return message
    raise AssertionError(f"accepted: {outcome!r}")
