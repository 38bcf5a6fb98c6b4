"""External weights on their way in (SDK 0.39): links for the files, then a checkpoint of them.

The files are those of an external checkpoint. The engine's state is read from its own file, so that
what comes back is the same to the bit; an adapter that was trained elsewhere has none.
"""

from typing import Any

import orjson

from tinker_mock.server.engine import BaseModel, EngineError, Trainer, export_state, load_state
from tinker_mock.server.errors import BadRequest, Forbidden, NotFound
from tinker_mock.server.quirks import Quirk
from tinker_mock.server.service import checkpoints, links
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.bases import base_of
from tinker_mock.server.service.external import (
    ADAPTER_FILE,
    CONFIG_FILE,
    STATE_FILE,
    files_size,
    read_state,
)
from tinker_mock.server.service.saving import keep
from tinker_mock.server.state.records import Checkpoint, Tenant, Upload

FILES = (CONFIG_FILE, ADAPTER_FILE, STATE_FILE)
NAME = "uploaded"


def start(backend: Backend, tenant: Tenant, body: dict[str, Any]) -> Upload:
    """Begin an upload; raises BadRequest for an unknown base model, Forbidden where closed."""
    if Quirk.UPLOADS_CLOSED in backend.quirks:
        raise Forbidden(
            "external_weights_upload_start: not enabled for your organization",
            rule="the server decides who may upload",
            fix="ask for access, or serve without the quirk uploads-closed",
        )
    backend.catalog.get(body["base_model"])
    upload = Upload(
        id=backend.ids.next("upload", tenant.id),
        tenant_id=tenant.id,
        project_id=body.get("destination_project_id") or tenant.default_project_id,
        base_model=body["base_model"],
        lora_config=dict(body["lora_config"]),
        created_at=backend.clock.now(),
    )
    backend.state.uploads[upload.id] = upload
    return upload


def links_of(backend: Backend, base_url: str, upload: Upload) -> tuple[dict[str, str], float]:
    """A link for every file, and when they end (Unix seconds)."""
    found, expires = {}, 0.0
    for name in FILES:
        found[name], expires = links.sign(backend, base_url, f"upload~{upload.id}~{name}")
    return found, expires


def put_file(backend: Backend, file_id: str, content: bytes) -> None:
    """Keep a file of an upload; raises NotFound for a link that was made to read."""
    kind, *parts = file_id.split("~")
    upload = backend.state.uploads.get(parts[0])
    if kind != "upload" or upload is None or upload.path is not None:
        raise NotFound(
            "file_id: nothing is to be uploaded here",
            pointer="/file_id",
            rule="links of external_weights_upload_start are written to, until it is finished",
            fix="start an upload",
        )
    # Of the adapter nothing is used: what it was made of is in the state, and it may be large.
    kept = b"" if parts[1] == ADAPTER_FILE else content
    upload.files = {**upload.files, parts[1]: kept}


async def finish(backend: Backend, tenant: Tenant, upload_id: str) -> str:
    """Make a checkpoint of an upload; the path again if it was made before.

    Raises NotFound, or BadRequest naming the file that is missing or does not fit.
    """
    upload = backend.state.uploads.get(upload_id)
    if upload is None or upload.tenant_id != tenant.id:
        raise NotFound(
            f"upload_id: no upload {upload_id!r} for this API key",
            pointer="/upload_id",
            rule="the id comes from external_weights_upload_start",
            fix="start an upload",
        )
    if upload.path is None:
        for name in FILES:
            if name not in upload.files:
                raise _unfit(name, "was not uploaded", "PUT it to its link first")
        base = base_of(backend, upload.base_model)
        checkpoint = await backend.compute(_checkpoint, base, upload, backend.clock.now())
        checkpoint.size_bytes = await backend.compute(files_size, backend, checkpoint)
        if upload.path is None:
            keep(backend, checkpoint)
            upload.path, upload.files = checkpoint.path, {}
    return upload.path


def _checkpoint(base: BaseModel, upload: Upload, now: float) -> Checkpoint:
    lora = upload.lora_config
    _check_config(upload.files[CONFIG_FILE], base.name, lora.get("rank", 32))
    switches = {name: lora.get(name, True) for name in ("train_attn", "train_mlp", "train_unembed")}
    try:
        trainer = Trainer(base, lora.get("rank", 32), lora.get("seed"), **switches)
        arrays = read_state(upload.files[STATE_FILE])
        load_state(trainer, arrays, "steps" in arrays)
    except (EngineError, ValueError, KeyError, IndexError) as error:
        fix = "upload what save_weights_external wrote"
        raise _unfit(STATE_FILE, f"cannot be read: {error}", fix) from None
    return Checkpoint(
        path=checkpoints.path_of(upload.id, "external", NAME),
        run_id=upload.id,
        name=NAME,
        kind="external",
        tenant_id=upload.tenant_id,
        project_id=upload.project_id,
        session_id="",
        created_at=now,
        size_bytes=0,
        base_model=upload.base_model,
        rank=lora.get("rank", 32),
        arrays=export_state(trainer),
        weights=trainer.snapshot(),
        **switches,
    )


def _check_config(content: bytes, base_model: str, rank: int) -> None:
    try:
        config = orjson.loads(content)
        told = (config["r"], config["base_model_name_or_path"])
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise _unfit(
            CONFIG_FILE, f"is no PEFT configuration: {error}", "upload it as it was"
        ) from None
    wanted = (rank, base_model)
    if told != wanted:
        words = (
            f"is for rank {told[0]} of {told[1]}, the upload for rank {wanted[0]} of {wanted[1]}"
        )
        raise _unfit(CONFIG_FILE, words, "start the upload with the adapter's own configuration")


def _unfit(name: str, found: str, fix: str) -> BadRequest:
    return BadRequest(
        f"{name}: {found}",
        pointer="/upload_id",
        rule="the files are those that save_weights_external gives for the same configuration",
        fix=fix,
    )
