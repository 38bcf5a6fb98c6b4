"""The models on offer for text, as OpenAI's and Anthropic's clients ask for them."""

from datetime import UTC, datetime, time
from typing import Any
from urllib.parse import parse_qs

from tinker_mock.server.catalog import CatalogModel
from tinker_mock.server.errors import BadRequest
from tinker_mock.server.quirks import Quirk
from tinker_mock.server.service import checkpoints
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.state.records import Checkpoint, Tenant
from tinker_mock.server.text.model_names import named_model
from tinker_mock.server.wire.exchange import Exchange

CREATED = 1_735_689_600
"""When the base models were "created": 2025-01-01."""
STAGES = ("active", "deprecated", "retired")
PAGE = 20


def list_text_models(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Base models that can be sampled, and the caller's sampler checkpoints with their base."""
    own = [
        _openai(one.path, int(one.created_at), one.base_model)
        for one in _own(backend, exchange.owner)
    ]
    if Quirk.MODELS_LIST_OWN in backend.quirks:
        return {"object": "list", "data": own}
    offered = backend.catalog.on_offer()
    models = [_openai(model.name, CREATED) for model in offered if model.sampleable]
    return {"object": "list", "data": models + own}


def get_text_model(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """One of them, or a checkpoint on a base model of another context length."""
    name = exchange.path_params["model"]
    named = named_model(backend, exchange.owner, name)
    if named.checkpoint is None:
        return _openai(name, CREATED)
    return _openai(name, int(named.checkpoint.created_at), named.base_name)


def list_anthropic_models(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """A page of the same models; those that are retired only where they are asked for."""
    asked = parse_qs(exchange.raw_query.decode("latin-1")).get("lifecycle[]", [])
    unknown = sorted({*asked} - {*STAGES})
    if unknown:
        raise BadRequest(
            f"lifecycle: {unknown[0]!r} is no stage of a model's life",
            pointer="/lifecycle",
            rule=f"one of {', '.join(STAGES)}",
            fix="leave it out for the models on offer",
        )
    stages = asked or ["active", "deprecated"]
    found = [
        _anthropic(model.name, CREATED, model, retired=backend.catalog.is_retired(model))
        for model in backend.catalog.models.values()
        if model.sampleable
    ]
    for one in _own(backend, exchange.owner):
        row = backend.catalog.get(one.base_model)
        gone = backend.catalog.is_retired(row)
        found.append(_anthropic(one.path, int(one.created_at), row, retired=gone))
    return _page([one for one in found if one["lifecycle"] in stages], exchange.query)


def get_anthropic_model(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """One model by its name."""
    name = exchange.path_params["model"]
    named = named_model(backend, exchange.owner, name)
    created = int(named.checkpoint.created_at) if named.checkpoint else CREATED
    return _anthropic(name, created, named.catalog, retired=False)


def _own(backend: Backend, tenant: Tenant) -> list[Checkpoint]:
    """The caller's sampler checkpoints, newest first."""
    return [
        one
        for one in checkpoints.living(backend)
        if one.tenant_id == tenant.id and one.kind == "sampler"
    ]


def _openai(name: str, created: int, base: str | None = None) -> dict[str, Any]:
    about = {"id": name, "object": "model", "created": created}
    if base is None:
        return {**about, "owned_by": name.split("/")[0]}
    return {**about, "owned_by": "tinker", "root": base, "parent": base}


def _anthropic(name: str, created: int, row: CatalogModel, *, retired: bool) -> dict[str, Any]:
    ends = datetime.combine(row.retired, time(), UTC) if row.retired else None
    return {
        "id": name,
        "type": "model",
        "display_name": name.split("/")[-1],
        "created_at": _timestamp(datetime.fromtimestamp(created, UTC)),
        "lifecycle": "retired" if retired else "active",
        "deprecated_at": None,
        "retires_at": _timestamp(ends) if ends else None,
        "line": None,
        "max_input_tokens": row.context_length,
        "max_tokens": row.context_length,
        "capabilities": None,
    }


def _timestamp(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _page(models: list[dict[str, Any]], query: dict[str, Any]) -> dict[str, Any]:
    """The models after one, or before one, as many as asked for."""
    names = [model["id"] for model in models]
    limit = int(query.get("limit") or PAGE)
    before = "before_id" in query and "after_id" not in query
    cursor = query.get("before_id" if before else "after_id")
    if cursor is not None and cursor not in names:
        field = "before_id" if before else "after_id"
        raise BadRequest(
            f"{field}: no model on this list is called {cursor!r}",
            pointer=f"/{field}",
            rule="a cursor is the first_id or last_id of a page",
            fix="begin without a cursor",
        )
    if before:
        end = names.index(cursor)
        begin = max(0, end - limit)
        more = begin > 0
    else:
        begin = names.index(cursor) + 1 if cursor is not None else 0
        end = min(len(names), begin + limit)
        more = end < len(names)
    page = models[begin:end]
    ids = names[begin:end] or [None]
    return {"data": page, "has_more": more, "first_id": ids[0], "last_id": ids[-1]}
