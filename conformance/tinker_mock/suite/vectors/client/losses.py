"""Penalties, divergences, constraints, pipelines, gradients."""

from typing import Any

import numpy as np

from tinker_mock.client import ManualClock, TinkerError
from tinker_mock.client.errors import ApiTimeoutError
from tinker_mock.client.losses.arrays import array_namespace
from tinker_mock.client.losses.gradient import gradient_norm, value_and_gradients
from tinker_mock.client.losses.output import CustomLossOutput, RegularizerOutput
from tinker_mock.client.losses.pipeline import compute_loss, run_regularizers
from tinker_mock.client.losses.regularizers import constraints, divergences, library, penalties
from tinker_mock.client.losses.specification import RegularizerSpec
from tinker_mock.suite.vectors.client.stage import Component, run
from tinker_mock.suite.vectors.comparison import Partial

_LOSSES: dict[str, Any] = {
    "sum": lambda x: x.sum(),
    "mean": lambda x: x.mean(),
    "-mean": lambda x: -x.mean(),
    "sum(x)": lambda x: x.sum(),
    "sum(x^2)": lambda x: (x * x).sum(),
    "sum(|x|)": lambda x: array_namespace(x).abs(x).sum(),
    "2*x": lambda x: x * 2,
    "mean(x)+sum(x)+sum(x)": lambda x: x.mean() + x.sum() + x.sum(),
    "sum(x)+0.5*sum(x^2)": lambda x: x.sum() + (x * x).sum() * 0.5,
}


def regularizer_output(given: Any, _entry: Any) -> Any:
    output = RegularizerOutput(
        given["name"],
        given["value"],
        given["weight"],
        given.get("custom", {}),
        given.get("grad_norm"),
    )
    sent = output.to_json()
    names = ("grad_norm", "grad_norm_weighted")
    return Partial(
        contribution=output.contribution,
        grad_norm=output.grad_norm,
        grad_norm_weighted=output.grad_norm_weighted,
        json=sent,
        absent=[name for name in names if name not in sent],
    )


def regularizer_spec(given: Any, _entry: Any) -> Any:
    fn = (lambda _data: 0.0) if given.get("fn") == "arity-1" else (lambda _data, _logprobs: 0.0)
    options = {"weight": 0.1, "name": "test"} | {
        "run_async" if name == "async" else name: value
        for name, value in given.items()
        if name != "fn"
    }
    try:
        RegularizerSpec(fn, **options)
    except TinkerError as error:
        return {"error": error.message}
    return {"error": None}


def custom_loss_output(given: Any, _entry: Any) -> Any:
    parts = [
        RegularizerOutput(f"r{index}", one["value"], one["weight"])
        for index, one in enumerate(given.get("regularizers", []))
    ]
    output = CustomLossOutput(given["base"], given.get("metrics", {}), parts)
    sent = output.to_json()
    return Partial(sent | {"absent": [n for n in ("total_grad_norm",) if n not in sent]})


def pipeline(given: Any, entry: Any) -> Any:
    logprobs = np.asarray(given.get("logprobs", [0.0]))
    base = given.get("base", "sum")
    loss = _LOSSES[base] if isinstance(base, str) else (lambda _x: base)
    specs = [
        RegularizerSpec(lambda _d, _x, value=value: (value, {}), weight, f"r{index}")
        for index, (value, weight) in enumerate(given.get("regs", []))
    ]
    norms = entry["name"].startswith("base_grad_norm")
    output = run(compute_loss(lambda _d, x: loss(x), [], logprobs, specs, track_grad_norms=norms))
    if norms:
        return output.base_grad_norm
    return Partial(
        loss_total=output.loss_total,
        regularizer_total=output.regularizer_total,
        contributions=[one.contribution for one in output.regularizers],
    )


def executor(given: Any, _entry: Any) -> Any:
    if "timeout_ms" in given:
        return run(_too_slow(given["timeout_ms"] / 1000))
    fn = _LOSSES[given["fn"]]
    spec = RegularizerSpec(lambda _d, x: (fn(x), {}), given["weight"], "one")
    (output,) = run(run_regularizers([spec], [], np.asarray(given["logprobs"])))
    return {"value": output.value, "contribution": output.contribution}


async def _too_slow(timeout: float) -> Any:
    import asyncio

    async def never(_data: Any, _logprobs: Any) -> Any:
        await asyncio.Event().wait()

    spec = RegularizerSpec(never, 1.0, "slow", run_async=True)
    try:
        clock = ManualClock(autojump=True)
        await run_regularizers([spec], [], np.zeros(1), timeout=timeout, clock=clock)
    except ApiTimeoutError:
        return {"error": "timeout"}
    return {"error": None}


def gradient_tracker(given: Any, _entry: Any) -> Any:
    return gradient_norm(_LOSSES[given["loss"]], np.asarray(given["x"]))


def penalty(function: Any) -> Component:
    """A penalty's value, or its gradient."""

    def component(given: Any, entry: Any) -> Any:
        options = {("weight" if k == "lambda" else k): v for k, v in given.items() if k != "x"}
        x = np.asarray(given["x"])
        if isinstance(entry["expected"], dict):
            _, (slope,) = value_and_gradients(lambda one: function(one, **options), [x])
            return {"grad": slope.tolist()}
        return float(function(x, **options))

    return component


def entropy(given: Any, _entry: Any) -> Any:
    logprobs = np.log(np.asarray(given["probs"]))
    return float(divergences.entropy_of_logprobs(logprobs, normalize=given.get("normalize", False)))


def kl(_given: Any, _entry: Any) -> Any:
    logprobs = np.log(np.random.default_rng(0).dirichlet(np.ones(7), size=3))
    return float(np.abs(divergences.kl(logprobs, logprobs)).max())


def orthogonality(given: Any, _entry: Any) -> Any:
    x = np.eye(4) if given["x"] == "eye(4)" else np.asarray(given["x"], dtype=float)
    normalize = given.get("normalize", True)
    return float(constraints.dependence(x, mode=given["mode"], normalize=normalize))


def consistency(given: Any, _entry: Any) -> Any:
    options = {name: given[name] for name in ("metric", "reduction") if name in given}
    value = constraints.disagreement(np.asarray(given["a"]), np.asarray(given["b"]), **options)
    return value.tolist()


def gradient_penalty(given: Any, _entry: Any) -> Any:
    x = np.asarray(given["x"])
    return float(
        constraints.gradient_excess(_LOSSES[given["loss"]], x, target=given["target_norm"])
    )


def regularizer(name: str) -> Component:
    """A regularizer of the library over log-probabilities of the given probabilities."""
    function = getattr(library, name)

    def component(given: Any, entry: Any) -> Any:
        options = {key: value for key, value in given.items() if key != "probs"}
        data: list[Any] = []
        if "reference" in options:
            reference = np.log(np.asarray(options.pop("reference")))
            options["reference_logprobs" if name == "kl_divergence" else "reference"] = reference
        if name == "gradient_penalty":
            options |= {"loss": _LOSSES["sum"], "target": options.pop("target_norm")}
        if "original_logprobs" in options:
            rows = options.pop("original_logprobs").removeprefix("log ").replace("[.", "[0.")
            original = np.log(np.asarray(_rows(rows)))
            data = [{"original_logprobs": original}]
        value, metrics = function(data, np.log(np.asarray(given["probs"])), **options)
        if not isinstance(entry["expected"], dict):
            return float(value)
        return Partial(value=float(value), metrics=Partial(metrics))

    return component


def _rows(text: str) -> Any:
    import ast

    return ast.literal_eval(text.replace(",.", ",0."))


COMPONENTS: dict[str, Component] = {
    "RegularizerOutput": regularizer_output,
    "RegularizerSpec": regularizer_spec,
    "CustomLossOutput": custom_loss_output,
    "RegularizerPipeline": pipeline,
    "RegularizerExecutor": executor,
    "GradientTracker": gradient_tracker,
    "Penalty.l1": penalty(penalties.l1),
    "Penalty.l2": penalty(penalties.l2),
    "Penalty.elastic_net": penalty(penalties.elastic_net),
    "Divergence.entropy": entropy,
    "Divergence.kl": kl,
    "Constraint.orthogonality": orthogonality,
    "Constraint.consistency": consistency,
    "GradientPenalty": gradient_penalty,
    **{
        f"Regularizer.{name}": regularizer(name)
        for name in (
            "l1_sparsity",
            "l2_weight_decay",
            "elastic_net",
            "kl_divergence",
            "entropy",
            "consistency",
            "orthogonality",
            "gradient_penalty",
        )
    },
}
