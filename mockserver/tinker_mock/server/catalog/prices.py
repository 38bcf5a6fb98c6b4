"""What the service charges, as far as it is known: tokens by base model, storage by size."""

from functools import cache
from importlib import resources
from typing import Any

MONTH_HOURS = 720.0
RATES = {"training": "train", "sampling_prefill": "prefill", "sampling_sample": "sample"}
"""Usage types that are charged by token -> their column of the table."""


@cache
def _table() -> dict[str, Any]:
    import yaml

    text = (resources.files("tinker_mock.server.catalog") / "prices.yaml").read_text("utf-8")
    return dict(yaml.safe_load(text))


def token_rate(base_model: str, usage_type: str, cached: bool = False) -> float | None:
    """USD per million tokens; None where the price is not known or not by token."""
    prices = _table()["models"].get(base_model, {})
    rate = prices.get(RATES.get(usage_type))
    if rate is None:
        return None
    return float(rate * _table()["cached_prefill"]) if cached else float(rate)


def storage_rate() -> float:
    """USD per gigabyte and month of `MONTH_HOURS` hours."""
    return float(_table()["storage"])
