"""Untrained models of the whole catalogue write text: no token that begins one or pads it."""

import numpy as np
import pytest

from tinker_mock.server.catalog import Catalog
from tinker_mock.server.engine import Sampler, SampleRequest
from tinker_mock.server.service.bases import engine_base

CATALOGUE = Catalog.load()
FAMILIES = {model.family: model.name for model in map(CATALOGUE.get, CATALOGUE.models)}


@pytest.mark.parametrize("name", FAMILIES.values(), ids=FAMILIES)
def test_samples_hold_no_special_tokens_but_those_of_the_turn(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a tokenizer, so that only the catalogue says which ids are text."""
    monkeypatch.setattr("tinker_mock.server.service.bases.tokenizer_for", lambda model: None)
    model = CATALOGUE.get(name)
    base = engine_base(model)
    header = model.turn_prefix or (1000,)
    ask = SampleRequest(np.array(header), num_samples=256, max_tokens=256, seed=1, stop=[])
    tokens = np.concatenate([s.tokens for s in Sampler(base).sample(ask).sequences])
    specials = base.frozen.grammar.special_set - set(base.frozen.grammar.tokens.tolist())
    assert not np.isin(tokens, list(specials)).any()
