"""The base models on offer, by name and date."""

import difflib
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path

from tinker_mock.server.catalog.model import CatalogModel
from tinker_mock.server.catalog.reading import read_models
from tinker_mock.server.errors import BadRequest

LIST = "GET /api/v1/get_server_capabilities lists the models on offer"
LONGEST_NAME = 200
"""Of a model that another may be meant by."""


def today_of(now: Callable[[], float]) -> Callable[[], date]:
    """The UTC date of a clock."""
    return lambda: datetime.fromtimestamp(now(), UTC).date()


class Catalog:
    """The models a server knows. Those whose `retired` date has come are no longer on offer.

    `today` says what day it is; None leaves every model on offer.
    """

    def __init__(
        self, models: Mapping[str, CatalogModel], today: Callable[[], date] | None = None
    ) -> None:
        self.models = dict(models)
        self.today = today

    @classmethod
    def load(cls, extra: Path | None = None, today: Callable[[], date] | None = None) -> "Catalog":
        """The shipped models, then those of `extra` (same format; the same name replaces).

        Raises ConfigurationError naming file and model.
        """
        return cls(read_models(extra), today)

    def get(self, name: str, pointer: str = "/base_model") -> CatalogModel:
        """The row of that name, retired or not. Raises BadRequest naming close matches."""
        model = self.models.get(name)
        if model is None:
            raise self._unknown(name, pointer)
        return model

    def offered(self, name: str, pointer: str = "/base_model") -> CatalogModel:
        """The row of that name, to train or sample. Raises BadRequest, for a retired model with
        its replacement."""
        model = self.get(name, pointer)
        if self.is_retired(model):
            replacement = self.replacement_of(model)
            fix = f"use {replacement} instead; " if replacement else ""
            raise BadRequest(
                f"{pointer.strip('/')}: {name!r} was retired on {model.retired}: it can be "
                "neither trained nor sampled",
                pointer=pointer,
                rule="the base model is on offer today",
                fix=f"{fix}its checkpoints can still be exported",
                requirement="models/retired/refused",
                details={"replacement": replacement, "retired": str(model.retired)},
            )
        return model

    def is_retired(self, model: CatalogModel) -> bool:
        """Its last day is over."""
        return bool(self.today and model.retired and self.today() >= model.retired)

    def replacement_of(self, model: CatalogModel) -> str:
        """What to use instead of a retired model; where that is retired too, its own."""
        while self.is_retired(model) and model.replacement in self.models:
            model = self.models[model.replacement]
        return "" if self.is_retired(model) else model.name

    def on_offer(self) -> list[CatalogModel]:
        """The rows that can be used today."""
        return [model for model in self.models.values() if not self.is_retired(model)]

    def rows_of(self, base: str) -> list[CatalogModel]:
        """The rows of one base model: its own and its variants'."""
        return [model for model in self.models.values() if model.base == base]

    def close_matches(self, name: str) -> list[str]:
        """Up to three names that look like `name`, organisation or not, best first; those of the
        same base model first of all."""
        wanted = name.lower()[:LONGEST_NAME]
        by_key: dict[str, str] = {}
        for model in self.on_offer():
            by_key[model.name.lower()] = model.name
            by_key.setdefault(model.name.lower().split("/")[-1], model.name)
        of_base = [row.name for row in self.rows_of(name.split(":")[0]) if not self.is_retired(row)]
        found = difflib.get_close_matches(wanted, by_key, n=6, cutoff=0.5)
        return list(dict.fromkeys([*of_base, *(by_key[key] for key in found)]))[:3]

    def _unknown(self, name: str, pointer: str) -> BadRequest:
        close = self.close_matches(name)
        hint = f"did you mean {' or '.join(map(repr, close))}?" if close else ""
        return BadRequest(
            f"{pointer.strip('/')}: unknown base model {name!r}",
            pointer=pointer,
            rule="the base model is one of the models on offer",
            fix=hint or LIST,
            requirement="models/create/unknown-base",
            details={"close_matches": close},
        )
