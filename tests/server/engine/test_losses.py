"""Losses: formulas worked out by hand, slopes, settings, and what is refused."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.server.engine.conftest import policy_data
from tinker_mock.server.engine import BaseModel, Datum, EngineError, Trainer
from tinker_mock.server.engine.training.losses import LOSSES

LOGP = np.array([-1.0, -2.0, -0.5, -3.0])
OLD = np.array([-1.3, -1.6, -0.5, -2.0])
ADV = np.array([1.0, 1.0, -2.0, -1.0])
INPUTS = {"logprobs": OLD, "advantages": ADV}
RATIO = np.exp(LOGP - OLD)  # 1.35, 0.67, 1.0, 0.37


def term(name: str, inputs: dict[str, np.ndarray] | None = None, **settings: float) -> Any:
    loss = LOSSES[name]
    return loss.term(LOGP, inputs or INPUTS, {**loss.settings, **settings})


def slopes_by_difference(value: Callable[[np.ndarray], float]) -> np.ndarray:
    found = np.zeros(LOGP.size)
    for i in range(LOGP.size):
        nudge = np.zeros(LOGP.size)
        nudge[i] = 1e-6
        found[i] = (value(LOGP + nudge) - value(LOGP - nudge)) / 2e-6
    return found


def test_importance_sampling() -> None:
    found = term("importance_sampling")
    assert found.value == pytest.approx(-(RATIO * ADV).sum())
    np.testing.assert_allclose(found.slopes, -RATIO * ADV)


def test_ppo_takes_the_smaller_branch() -> None:
    found = term("ppo")
    clipped = np.clip(RATIO, 0.8, 1.2)
    assert found.value == pytest.approx(-np.minimum(RATIO * ADV, clipped * ADV).sum())
    # 1.35 with A > 0 and 0.37 with A < 0 are clipped away, the other two are not.
    np.testing.assert_allclose(found.slopes, [0.0, -RATIO[1], 2.0, 0.0])
    assert found.metrics == {
        "ppo_mean_ratio:mean": pytest.approx(RATIO.mean()),
        "ppo_clipped_fraction:mean": 0.75,  # all but the ratio of 1
        "ppo_kl_div:mean": pytest.approx((OLD - LOGP).mean()),
    }


def test_clipping_may_come_per_token() -> None:
    wide = {**INPUTS, "clip_high_threshold": np.full(4, 10.0), "clip_low_threshold": np.zeros(4)}
    np.testing.assert_allclose(term("ppo", wide).slopes, -RATIO * ADV)
    assert term("ppo", clip_high_threshold=1.4).slopes[0] == pytest.approx(-RATIO[0])


def test_cispo_holds_the_clipped_ratio_constant() -> None:
    found = term("cispo")
    assert found.value == pytest.approx(-(RATIO * LOGP * ADV).sum())
    narrow = term("cispo", clip_low_threshold=0.8, clip_high_threshold=1.2)
    coefficient = np.clip(RATIO, 0.8, 1.2)
    assert narrow.value == pytest.approx(-(coefficient * LOGP * ADV).sum())
    np.testing.assert_allclose(narrow.slopes, -coefficient * ADV)


def test_cispo_clips_at_0_and_4_unless_told_otherwise() -> None:
    """Ratios 10 and 1/10: the first weighs 4, the second is not raised."""
    far = {"logprobs": LOGP[:2] - np.log([10.0, 0.1]), "advantages": np.ones(2)}
    slopes = LOSSES["cispo"].term(LOGP[:2], far, LOSSES["cispo"].settings).slopes
    np.testing.assert_allclose(slopes, [-4.0, -0.1])


@pytest.mark.parametrize("loss", ["importance_sampling", "ppo", "cispo", "dro", "gspo"])
@pytest.mark.parametrize("extra", ["weights", "mask"])
def test_policy_losses_refuse_inputs_they_do_not_take(
    small: BaseModel, loss: str, extra: str
) -> None:
    field = f"data[1].loss_fn_inputs.{extra}"
    trainer = Trainer(small)
    with pytest.raises(EngineError) as refused:
        trainer.forward_backward(with_inputs(**{extra: np.ones(5, dtype=np.float32)}), loss)
    assert field in str(refused.value)
    assert "advantage 0 masks a position" in str(refused.value)
    assert trainer.optim_step({})["unclipped_grad_l2:mean"] == 0


def test_cross_entropy_ignores_inputs_it_does_not_take(small: BaseModel) -> None:
    data = policy_data(1)
    bare = [Datum(d.tokens, {"target_tokens": d.inputs["target_tokens"]}) for d in data]
    found = Trainer(small).forward(data, "cross_entropy").metrics
    assert found == Trainer(small).forward(bare, "cross_entropy").metrics


def test_dro_has_a_quadratic_penalty() -> None:
    found = term("dro", beta=0.3)
    expected = -(LOGP * ADV - 0.15 * (LOGP - OLD) ** 2).sum()
    assert found.value == pytest.approx(expected)
    loss = LOSSES["dro"]
    numeric = slopes_by_difference(lambda p: loss.term(p, INPUTS, {"beta": 0.3}).value)
    np.testing.assert_allclose(found.slopes, numeric, atol=1e-6)


def test_gspo_uses_one_ratio_for_the_sequence() -> None:
    mask = np.array([0.0, 1.0, 1.0, 1.0])
    found = term("gspo", {**INPUTS, "sequence_ratio_mask": mask}, clip_low_threshold=0.5)
    ratio = math.exp((LOGP - OLD)[1:].mean())
    assert found.value == pytest.approx(-(ratio * ADV).sum())
    np.testing.assert_allclose(found.slopes, -ratio * ADV)
    clipped = term("gspo", {**INPUTS, "sequence_ratio_mask": mask})
    low = np.minimum(ratio * ADV, 0.8 * ADV)
    assert clipped.value == pytest.approx(-low.sum())
    np.testing.assert_allclose(clipped.slopes, np.where(ADV > 0, -ratio * ADV, 0.0))


def test_gspo_summed_over_a_constant_advantage_is_its_true_gradient() -> None:
    """With one advantage for all tokens the token form equals differentiating the sequence ratio
    times the length."""
    inputs = {"logprobs": OLD, "advantages": np.full(4, 0.7), "sequence_ratio_mask": np.ones(4)}
    settings = {"clip_low_threshold": 0.0, "clip_high_threshold": 9.0}
    found = LOSSES["gspo"].term(LOGP, inputs, settings)
    numeric = slopes_by_difference(lambda p: LOSSES["gspo"].term(p, inputs, settings).value)
    np.testing.assert_allclose(found.slopes, numeric, atol=1e-6)


def test_stable_reinforce_is_reinforce_on_policy_and_truncated_off_it() -> None:
    on_policy = term("stable_reinforce", {"logprobs": LOGP, "advantages": ADV})
    np.testing.assert_allclose(on_policy.slopes, -ADV)
    unrecorded = term("stable_reinforce", {"advantages": ADV})
    np.testing.assert_allclose(unrecorded.slopes, -ADV)
    off_policy = term("stable_reinforce")
    np.testing.assert_allclose(off_policy.slopes, -np.minimum(RATIO, 1.0) * ADV)
    pulled = term("stable_reinforce", kl_coeff=0.5)
    np.testing.assert_allclose(pulled.slopes - off_policy.slopes, 0.5 * (LOGP - OLD))


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_outputs_and_metrics(small: BaseModel, loss: str) -> None:
    data = policy_data(1)
    result = Trainer(small).forward(data, loss)
    assert [o["logprobs"].shape for o in result.outputs] == [d.tokens.shape for d in data]
    assert all(o["logprobs"].dtype == np.float32 for o in result.outputs)
    assert "loss:sum" in result.metrics
    assert all(key.count(":") == 1 for key in result.metrics)
    assert all(key.split(":")[1] in ("sum", "mean", "min", "max") for key in result.metrics)


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_far_off_policy_data_stays_finite(small: BaseModel, loss: str) -> None:
    data = policy_data(1)
    for datum in data:
        datum.inputs["logprobs"][:] = -5000.0
    trainer = Trainer(small)
    trainer.forward_backward(data, loss)
    assert math.isfinite(trainer.optim_step({})["unclipped_grad_l2:mean"])


def with_inputs(**changes: Any) -> list[Datum]:
    """Two good datums, the second one changed; None removes an input."""
    good, bad = policy_data(1, count=2)
    inputs = {**bad.inputs, **changes}
    return [good, Datum(bad.tokens, {k: v for k, v in inputs.items() if v is not None})]


REFUSED = [
    ("cross_entropy", {"target_tokens": None}, {}, "data[1].loss_fn_inputs.target_tokens"),
    ("cross_entropy", {"target_tokens": np.zeros(2, int)}, {}, "target_tokens"),
    ("cross_entropy", {"target_tokens": np.zeros(3)}, {}, "must be int64"),
    ("cross_entropy", {"weights": np.zeros(1)}, {}, "data[1].loss_fn_inputs.weights"),
    ("ppo", {"advantages": None}, {}, "data[1].loss_fn_inputs.advantages"),
    ("dro", {"logprobs": None}, {}, "data[1].loss_fn_inputs.logprobs"),
    ("ppo", {}, {"epsilon": 0.2}, "loss_fn_config.epsilon"),
    ("ppo", {}, {"clip_low_threshold": "low"}, "loss_fn_config.clip_low_threshold"),
    ("ppo", {}, {"clip_low_threshold": 2.0}, "loss_fn_config.clip_low_threshold"),
    ("dro", {}, {"beta": math.nan}, "loss_fn_config.beta"),
    ("squared", {}, {}, "loss_fn"),
]


@pytest.mark.parametrize(("loss", "changes", "config", "rule"), REFUSED)
def test_mistakes_are_named(
    small: BaseModel, loss: str, changes: dict[str, Any], config: dict[str, Any], rule: str
) -> None:
    trainer = Trainer(small)
    with pytest.raises(EngineError) as caught:
        trainer.forward_backward(with_inputs(**changes), loss, config)
    assert rule in str(caught.value)
    assert caught.value.fix
    assert not trainer.pending


def test_matrix_targets_are_for_cross_entropy_only(small: BaseModel) -> None:
    datum = Datum(np.array([1, 2]), {"target_tokens": np.zeros((2, 3), int)})
    with pytest.raises(EngineError, match=r"ppo takes shape \[N\], got \[2, 3\]"):
        Trainer(small).forward([datum], "ppo")


def test_values_that_are_not_finite_are_refused(small: BaseModel) -> None:
    data = policy_data(1, weighted=True)
    data[0].inputs["weights"][0] = np.nan
    with pytest.raises(EngineError, match="not finite"):
        Trainer(small).forward_backward(data)


def test_ids_beyond_the_vocabulary_are_refused_and_padding_rows_accepted(small: BaseModel) -> None:
    padding = Datum(np.array([1]), {"target_tokens": np.array([60])})
    assert np.isfinite(Trainer(small).forward([padding]).outputs[0]["logprobs"]).all()
    beyond = Datum(np.array([1]), {"target_tokens": np.array([61])})
    with pytest.raises(EngineError, match="token id 61 is outside the vocabulary"):
        Trainer(small).forward([beyond])


def test_placeholders_are_positions_like_others(small: BaseModel) -> None:
    image = Datum(np.array([4, -1, -1, -1, 9]), {"target_tokens": np.array([0, 0, 0, 9, 3])})
    result = Trainer(small).forward([image])
    assert np.isfinite(result.outputs[0]["logprobs"]).all()
