"""The page for people, and what it shows beside the journal: curves, samples, checkpoints."""

from importlib.resources import files
from typing import Any

from tinker_mock.server.control.mock_control import MockControl
from tinker_mock.server.errors import NotFound
from tinker_mock.server.observation.samples import KeptSample
from tinker_mock.server.service.links import archive_link
from tinker_mock.server.state.records import Checkpoint
from tinker_mock.server.tokenizers import tokenizer_for
from tinker_mock.server.wire.exchange import Answer, Exchange

PAGES = files("tinker_mock.server.control") / "pages"
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
TYPES |= {".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' data:",
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache",
}


async def get_inspector(control: MockControl, exchange: Exchange) -> Answer:
    return _file("index.html")


async def get_inspector_file(control: MockControl, exchange: Exchange) -> Answer:
    return _file(exchange.path_params["file"])


def _file(name: str) -> Answer:
    known = {page.name: page for page in PAGES.iterdir() if page.name.endswith(tuple(TYPES))}
    if name not in known:
        raise NotFound(f"file: the inspector has no {name!r}", pointer="/file")
    content_type = TYPES["." + name.rpartition(".")[2]]
    return Answer(200, content=known[name].read_bytes(), content_type=content_type, headers=HEADERS)


async def list_curves(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    wanted, after = exchange.query.get("model"), exchange.query["after"]
    since, curves = exchange.query["since"], control.observer.curves
    runs = control.backend.state.runs
    return {
        "models": [
            {
                "model_id": model_id,
                "base_model": runs[model_id].base_model if model_id in runs else None,
                "session_id": runs[model_id].session_id if model_id in runs else None,
                "points": [
                    {"step": point.step, "at": point.at, "values": point.values}
                    for point in curves.of(model_id, after, since)
                ],
            }
            for model_id in curves.points
            if wanted in (None, model_id)
        ]
    }


async def list_samples(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    """Decoded when somebody looks, in a thread."""
    kept = [s for s in control.observer.samples.kept if s.number > exchange.query["after"]]
    newest = kept[::-1][: exchange.query["limit"]]
    return await control.backend.compute(_shown, control, newest)


def _shown(control: MockControl, samples: list[KeptSample]) -> dict[str, Any]:
    return {"samples": [_sample(control, sample) for sample in samples]}


def _sample(control: MockControl, sample: KeptSample) -> dict[str, Any]:
    tokenizer = tokenizer_for(control.backend.catalog.get(sample.base_model))
    decode = tokenizer.decode if tokenizer else None
    return {
        "number": sample.number,
        "request_id": sample.request_id,
        "at": sample.at,
        "base_model": sample.base_model,
        "sampler_id": sample.sampler_id,
        "params": sample.params,
        "readable": decode is not None,
        "prompt": [_piece(decode, token) for token in sample.prompt_tokens()],
        "sequences": [
            {
                "stop_reason": sequence.stop_reason,
                "pieces": [
                    _piece(decode, token) | {"logprob": logprob}
                    for token, logprob in zip(
                        sequence.tokens.tolist(), sequence.logprobs.tolist(), strict=True
                    )
                ],
            }
            for sequence in sample.sequences
        ],
    }


def _piece(decode: Any, token: int | None) -> dict[str, Any]:
    """A token as text: its own where a tokenizer is at hand, its number elsewhere."""
    if token is None:
        return {"token": None, "text": "▣"}
    return {"token": token, "text": decode([token]) if decode else f"{token} "}


async def list_all_checkpoints(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    return {
        "checkpoints": [
            {
                "path": checkpoint.path,
                "kind": checkpoint.kind,
                "tenant": checkpoint.tenant_id,
                "base_model": checkpoint.base_model,
                "step": checkpoint.step,
                "size_bytes": checkpoint.size_bytes,
                "created_at": checkpoint.created_at,
                "expires_at": checkpoint.expires_at,
                "public": checkpoint.public,
            }
            for checkpoint in control.backend.state.checkpoints.values()
        ]
    }


async def change_checkpoint(control: MockControl, exchange: Exchange) -> None:
    body = exchange.body
    checkpoint = _checkpoint(control, body["path"])
    if "public" in body:
        checkpoint.public = body["public"]
    if "ttl_seconds" in body:
        ttl = body["ttl_seconds"]
        checkpoint.expires_at = None if ttl is None else control.backend.clock.now() + ttl


async def download_checkpoint(control: MockControl, exchange: Exchange) -> Answer:
    checkpoint = _checkpoint(control, exchange.query["path"])
    return Answer(302, headers={"location": archive_link(control.backend, "", checkpoint)[0]})


def _checkpoint(control: MockControl, path: str) -> Checkpoint:
    checkpoint = control.backend.state.checkpoints.get(path)
    if checkpoint is None:
        raise NotFound(f"path: no checkpoint {path!r}", pointer="/path")
    return checkpoint
