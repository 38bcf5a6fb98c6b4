"""The engine's read-me says what the code does."""

import re
from importlib.resources import files

from tinker_mock.server.engine.model.adapter import PAIRS_PER_RANK, RATE
from tinker_mock.server.engine.training.losses import LOSSES

TEXT = (files("tinker_mock.server.engine") / "README.md").read_text()
ROWS = {
    match[1]: [cell.strip() for cell in match[0].split("|")[1:-1]]
    for match in re.finditer(r"^\| `(\w+)` \|.*$", TEXT, re.M)
    if match[1] != "loss_fn"
}


def test_every_loss_is_listed_with_its_settings() -> None:
    assert set(ROWS) == set(LOSSES)
    for name, loss in LOSSES.items():
        shown = dict(re.findall(r"`(\w+)` ([\d.]+)", ROWS[name][3]))
        assert {key: float(value) for key, value in shown.items()} == dict(loss.settings)


def test_every_input_is_listed() -> None:
    for name, loss in LOSSES.items():
        inputs = ROWS[name][2].replace("as ppo", ROWS["ppo"][2])
        for rule in loss.rules:
            optional = rule.optional or rule.default is not None
            assert (f"[`{rule.name}`" in inputs) == optional, (name, rule.name)
            assert f"`{rule.name}`" in inputs


def test_scales_and_capacity() -> None:
    shown = [
        float(x.replace(",", "")) for x in re.findall(r"^\| [0-5] \|.*\| ([\d,]+) \|$", TEXT, re.M)
    ]
    assert shown == list(RATE)
    assert f"{PAIRS_PER_RANK:,} pairs per order" in TEXT
