"""What is longer than a model's context is refused at once, in the service's words."""

from typing import Any

from tinker_mock.server.catalog import Catalog, CatalogModel
from tinker_mock.server.errors import BadRequest
from tinker_mock.server.quirks import Quirk
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.positions import input_length

LONG_INKLING = ("thinkingmachines/Inkling", "thinkingmachines/Inkling-Small")


def check_training(
    catalog: Catalog, model: CatalogModel, data: list[dict[str, Any]], field: str
) -> None:
    """Raise BadRequest for the first sequence that is longer than the model's context.

    Only lengths are looked at: the work itself refuses what else is wrong with a datum.
    """
    for place, datum in enumerate(data):
        targets = datum["loss_fn_inputs"].get("target_tokens")
        if targets is not None:
            shape = targets.get("shape")
            length = int(shape[0]) if shape else len(targets["data"])
            _check(catalog, model, length, f"target_tokens[{place}]", f"/{field}/data/{place}")
        where = f"data[{place}].model_input"
        length = input_length(datum["model_input"], where, model)
        _check(catalog, model, length, f"model_input[{place}]", f"/{field}/data/{place}")


def _check(catalog: Catalog, model: CatalogModel, length: int, named: str, pointer: str) -> None:
    if length <= model.context_length:
        return
    raise BadRequest(
        f"sequence length {length} exceeds max sequence length {model.context_length} "
        f"for field {named}",
        pointer=pointer,
        rule="a sequence fits the context of the base model",
        fix=_or_longer(catalog, model, "cut the sequence"),
        requirement="training/length/refused",
        details={"max_context_length": model.context_length},
    )


def check_sampling(backend: Backend, model: CatalogModel, body: dict[str, Any]) -> int:
    """The prompt's length; raises BadRequest when it and max_tokens are more than the context."""
    length = input_length(body["prompt"], "prompt", model)
    wanted = body["sampling_params"].get("max_tokens") or 0
    limit = sampled_context(backend, model)
    if length + wanted > limit or length >= limit:
        too_long = length >= limit
        raise BadRequest(
            "Prompt length plus max_tokens exceeds the model's context window: "
            f"{length} + {wanted} > {limit}",
            pointer="/prompt" if too_long else "/sampling_params/max_tokens",
            rule="prompt and max_tokens fit the context of the base model",
            fix=_or_longer(
                backend.catalog, model, "shorten the prompt" if too_long else "lower max_tokens"
            ),
            requirement="sampling/length/refused",
            details={"reason": "PromptTooLong", "max_context_length": limit},
        )
    return length


def sampled_context(backend: Backend, model: CatalogModel) -> int:
    """The longest prompt plus completion of a row, in tokens."""
    if Quirk.INKLING_LONG_CONTEXT in backend.quirks and model.base in LONG_INKLING:
        return max(row.context_length for row in backend.catalog.rows_of(model.base))
    return model.context_length


def _or_longer(catalog: Catalog, model: CatalogModel, otherwise: str) -> str:
    """What to do about it: a row of the same weights with a longer context will do as well."""
    rows = [row for row in catalog.rows_of(model.base) if row.trainable == model.trainable]
    longer = [row.name for row in rows if row.context_length > model.context_length]
    return f"{otherwise}, or use {longer[0]}" if longer else otherwise
