"""Custom losses: graphs traced by a real SDK give what torch computed; the rest is refused."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinker_mock.server.engine import BaseModel, Datum, EngineError, Trainer
from tinker_mock.server.engine.training.custom_loss import compile_loss
from tinker_mock.server.engine.training.custom_loss.graph import OPERATIONS

TRACED = json.loads(Path(__file__).with_name("traced_losses.json").read_text())["losses"]


def request_of(case: dict[str, Any]) -> dict[str, Any]:
    return {"name": case["name"], "inputs": case["inputs"], "graph": copy.deepcopy(case["graph"])}


@pytest.mark.parametrize("case", TRACED, ids=lambda case: case["name"])
def test_value_gradient_and_metrics_as_torch_has_them(case: dict[str, Any]) -> None:
    loss = compile_loss(request_of(case))
    values = {name: np.array(value) for name, value in case["values"].items()}
    term = loss.term(np.array(case["logprobs"]), values, {})
    assert term.value == pytest.approx(case["loss"], rel=1e-12)
    np.testing.assert_allclose(term.slopes, case["grad"], rtol=1e-10, atol=1e-12)
    for key, value in case["metrics"].items():
        assert term.metrics[key] == pytest.approx(value, rel=1e-6)


def nodes(*calls: dict[str, Any], output: Any) -> dict[str, Any]:
    """A request with inputs logprobs and w."""
    listed = [
        {"op": "placeholder", "name": n, "target": n, "args": [], "kwargs": {}}
        for n in ("logprobs", "w")
    ]
    last = {"op": "output", "name": "output", "target": "output", "args": [output], "kwargs": {}}
    return {
        "name": "made",
        "inputs": [{"name": "logprobs", "rank": 1}, {"name": "w", "rank": 1}],
        "graph": {"format": 1, "nodes": [*listed, *calls, last]},
    }


def call(target: str, *args: Any, op: str = "call_function", name: str = "x") -> dict[str, Any]:
    return {"op": op, "name": name, "target": target, "args": list(args), "kwargs": {}}


GOOD = {"tuple": [{"ref": "x"}, {"dict": {}}]}
LOGPROBS = {"ref": "logprobs"}

REFUSED = [
    (nodes(call("os.system", "true"), output=GOOD), "'os.system' is not on the list"),
    (nodes(call("torch.load", "file"), output=GOOD), "'torch.load' is not on the list"),
    (nodes(call("builtins.eval", "1"), output=GOOD), "'builtins.eval' is not on the list"),
    (nodes(call("torch.svd", LOGPROBS), output=GOOD), "'torch.svd' is not on the list"),
    (nodes(call("tolist", LOGPROBS, op="call_method"), output=GOOD), "'tolist' is not on"),
    (nodes(call("__class__", LOGPROBS, op="call_method"), output=GOOD), "'__class__' is not on"),
    (nodes(call("add_", LOGPROBS, 1, op="call_method"), output=GOOD), "'add_' is not on the list"),
    (nodes(call("net", op="call_module"), output=GOOD), "call_module"),
    (nodes(call("weight", op="get_attr"), output=GOOD), "get_attr"),
    (nodes(call("torch.exp", {"ref": "later"}), output=GOOD), "'later', which no earlier node"),
    (nodes(call("torch.exp", LOGPROBS, name="w"), output=GOOD), "two nodes are called 'w'"),
    (nodes(call("torch.sum", LOGPROBS), output={"ref": "x"}), r"must be \(loss, metrics\)"),
    (
        nodes(
            call("torch.sum", LOGPROBS),
            output={"tuple": [{"ref": "x"}, {"dict": {"loss:sum": {"ref": "x"}}}]},
        ),
        "metric 'loss:sum' is not named",
    ),
]


@pytest.mark.parametrize(("request_", "rule"), REFUSED)
def test_anything_else_is_refused_by_name(request_: dict[str, Any], rule: str) -> None:
    with pytest.raises(EngineError, match=rule):
        compile_loss(request_)


def test_reading_other_attributes_is_refused_when_it_runs() -> None:
    loss = compile_loss(nodes(call("getattr", LOGPROBS, "__class__"), output=GOOD))
    with pytest.raises(EngineError, match="attribute '__class__' is not allowed"):
        loss.term(np.zeros(3), {"w": np.zeros(3)}, {})


ARGUMENT = st.recursive(
    st.sampled_from(
        [LOGPROBS, {"ref": "w"}, {"ref": "a"}, 0, 1, -1, 2.5, None, True, "x", "shape",
         {"float": "inf"}, {"ellipsis": True}, {"dtype": "float32"}, {"unknown": 1}, {"ref": 3}]
    ),
    lambda inner: st.lists(inner, max_size=3)
    | st.builds(lambda a: {"tuple": a}, st.lists(inner, max_size=3) | st.none())
    | st.builds(lambda a: {"slice": a}, st.lists(inner, min_size=2, max_size=3)),
    max_leaves=4,
)  # fmt: skip
TARGETS = [*(f"torch.{name}" for name in sorted(OPERATIONS)), "getattr", "operator.getitem"]


@settings(max_examples=400, deadline=None)
@given(
    calls=st.lists(
        st.tuples(st.sampled_from(TARGETS), st.lists(ARGUMENT, max_size=3)), min_size=1, max_size=4
    ),
    metric=ARGUMENT,
)
def test_no_graph_breaks_the_engine(calls: list[tuple[str, list[Any]]], metric: Any) -> None:
    """Any graph computes something or is refused as the user's mistake."""
    names = ["a", "b", "c", "x"][-len(calls) :]
    made = [call(target, *args, name=n) for n, (target, args) in zip(names, calls, strict=True)]
    output = {"tuple": [{"ref": "x"}, {"dict": {"custom/m:sum": metric}}]}
    try:
        loss = compile_loss(nodes(*made, output=output))
        term = loss.term(np.linspace(-3, -1, 4), {"w": np.arange(4.0)}, {})
    except EngineError:
        return
    assert term.slopes.shape == (4,)


def test_endless_nesting_is_refused() -> None:
    deep: Any = LOGPROBS
    for _ in range(100):
        deep = [deep]
    with pytest.raises(EngineError, match="nest deeper"):
        compile_loss(nodes(call("torch.sum", deep), output=GOOD))


def test_inputs_must_match_the_graph() -> None:
    request = nodes(call("torch.sum", LOGPROBS), output=GOOD)
    request["inputs"] = [{"name": "logprobs", "rank": 1}, {"name": "v", "rank": 1}]
    with pytest.raises(EngineError, match=r"are \['logprobs', 'v'\] but the graph takes"):
        compile_loss(request)


@pytest.mark.parametrize(
    "wide",
    [
        call("expand", LOGPROBS, 1_000_000_000, -1, op="call_method", name="y"),
        call("new_zeros", LOGPROBS, 1 << 40, op="call_method", name="y"),
        call("torch.arange", 1 << 40, name="y"),
    ],
)
def test_huge_intermediates_are_refused(wide: dict[str, Any]) -> None:
    loss = compile_loss(nodes(wide, call("torch.sum", {"ref": "y"}), output=GOOD))
    with pytest.raises(EngineError, match="too large"):
        loss.term(np.zeros(64), {"w": np.zeros(64)}, {})


def test_shape_mistakes_name_the_node() -> None:
    loss = compile_loss(nodes(call("torch.matmul", LOGPROBS, {"ref": "w"}), output=GOOD))
    with pytest.raises(EngineError, match=r"graph.nodes.x: torch.matmul failed"):
        loss.term(np.zeros(3), {"w": np.zeros(4)}, {})


def test_trains_like_the_built_in_loss(small: BaseModel) -> None:
    """-(logprobs * w).sum() is cross_entropy with weights w."""
    weighted = call("operator.mul", LOGPROBS, {"ref": "w"}, name="weighted")
    total = call("sum", {"ref": "weighted"}, op="call_method", name="total")
    negated = call("operator.neg", {"ref": "total"})
    metrics = {"dict": {"custom/total:mean": {"ref": "total"}}}
    request = nodes(weighted, total, negated, output={"tuple": [{"ref": "x"}, metrics]})
    stream = np.random.default_rng(0)
    custom_data, plain_data = [], []
    for _ in range(3):
        tokens, w = stream.integers(0, 50, 8), stream.normal(size=7).astype(np.float32)
        custom_data.append(Datum(tokens[:-1], {"target_tokens": tokens[1:], "w": w}))
        plain_data.append(Datum(tokens[:-1], {"target_tokens": tokens[1:], "weights": w}))
    custom, plain = Trainer(small), Trainer(small)
    for _ in range(3):
        mine = custom.forward_backward(custom_data, request, {"loss_id": "any"})
        theirs = plain.forward_backward(plain_data, "cross_entropy")
        assert mine.metrics["loss:sum"] == pytest.approx(theirs.metrics["loss:sum"])
        assert mine.metrics["custom/total:mean"] == pytest.approx(-mine.metrics["loss:sum"] / 3)
        assert custom.optim_step({}) == pytest.approx(plain.optim_step({}))


def test_a_missing_input_is_named(small: BaseModel) -> None:
    request = nodes(call("torch.sum", LOGPROBS), output=GOOD)
    datum = Datum(np.array([1, 2]), {"target_tokens": np.array([2, 3])})
    with pytest.raises(EngineError, match=r"data\[0\].loss_fn_inputs.w"):
        Trainer(small).forward([datum], request)
