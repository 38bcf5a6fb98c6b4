"""`AsyncRestClient`: everything that is neither training nor sampling."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from tinker_mock.client.errors import ApiStatusError
from tinker_mock.client.http.call import Call, Reply
from tinker_mock.client.http.responses import REDIRECTS, redirect_target
from tinker_mock.client.rest import requests
from tinker_mock.client.rest.paths import parse_checkpoint_path
from tinker_mock.client.session.connection import Connection
from tinker_mock.client.types.json import decode
from tinker_mock.client.types.records import (
    ArchiveUrl,
    CheckpointSearchCursor,
    CheckpointSearchPage,
    CheckpointsList,
    CopiedWeights,
    ExternalUpload,
    ExternalWeightsUrls,
    Sampler,
    SessionInfo,
    SessionSearchCursor,
    SessionSearchPage,
    SessionsList,
    TraceExport,
    TrainingRun,
    TrainingRunsList,
    WeightsInfo,
)

T = TypeVar("T")

_ARCHIVE_TRIES, _ARCHIVE_WAIT = 6, 30.0
_TRACE_WAIT = 5.0


class AsyncRestClient:
    """Runs, checkpoints, samplers, sessions, audit log and bills.

    Methods that take `path` want a `tinker://` path; with `checkpoint_id`, `path` is the run's id
    instead. Errors are `ApiStatusError` with the server's status.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def list_training_runs(
        self,
        limit: int = 20,
        offset: int = 0,
        *,
        access_scope: str | None = None,
        project_id: str | None = None,
    ) -> TrainingRunsList:
        """One page, newest first. `access_scope` is owned or accessible."""
        call = requests.list_training_runs(
            limit, offset, access_scope=access_scope, project_id=project_id
        )
        return await self._fetch(TrainingRunsList, call)

    async def get_training_run(
        self, training_run_id: str, *, access_scope: str | None = None
    ) -> TrainingRun:
        call = requests.get_training_run(training_run_id, access_scope=access_scope)
        return await self._fetch(TrainingRun, call)

    async def get_training_run_by_tinker_path(self, path: str) -> TrainingRun:
        """The run that saved a checkpoint."""
        return await self.get_training_run(parse_checkpoint_path(path).training_run_id)

    async def list_checkpoints(self, training_run_id: str) -> CheckpointsList:
        """All checkpoints of one run."""
        return await self._fetch(CheckpointsList, requests.list_checkpoints(training_run_id))

    async def list_user_checkpoints(self, limit: int = 100, offset: int = 0) -> CheckpointsList:
        """One page of all the user's checkpoints."""
        return await self._fetch(CheckpointsList, requests.list_user_checkpoints(limit, offset))

    async def delete_checkpoint(self, path: str, checkpoint_id: str | None = None) -> None:
        await self._on_checkpoint("DELETE", path, checkpoint_id)

    async def publish_checkpoint(self, path: str, checkpoint_id: str | None = None) -> None:
        """Let everybody load it."""
        await self._on_checkpoint("POST", path, checkpoint_id, "/publish")

    async def unpublish_checkpoint(self, path: str, checkpoint_id: str | None = None) -> None:
        await self._on_checkpoint("DELETE", path, checkpoint_id, "/publish")

    async def set_checkpoint_ttl(self, path: str, ttl_seconds: int | None) -> None:
        """Let it expire in so many seconds; `None` keeps it for ever."""
        await self._on_checkpoint("PUT", path, None, "/ttl", {"ttl_seconds": ttl_seconds})

    async def get_checkpoint_archive_url(
        self, path: str, checkpoint_id: str | None = None
    ) -> ArchiveUrl:
        """A signed link to the archive; waits while the server is still packing it (503)."""
        call = requests.archive(requests.checkpoint_address(path, checkpoint_id))
        reply = await self._packed(call)
        if reply.status in REDIRECTS:
            target = redirect_target(reply)
            return ArchiveUrl(target["url"], target["expires"])
        return decode(ArchiveUrl, reply.json())

    async def get_external_weights_urls(self, path: str) -> ExternalWeightsUrls:
        """Signed links to the files of an external checkpoint, by file name."""
        return await self._fetch(ExternalWeightsUrls, requests.external_urls(path))

    async def get_weights_info_by_tinker_path(self, path: str) -> WeightsInfo:
        """Base model and LoRA rank of a checkpoint, also of somebody else's published one."""
        body = {"tinker_path": path}
        answer = await self.connection.post("/api/v1/weights_info", body, persist=True)
        return decode(WeightsInfo, answer)

    async def copy_weights(
        self,
        source_path: str,
        destination_project_id: str,
        *,
        ttl_seconds: int | None = None,
        weights_access_token: str | None = None,
    ) -> CopiedWeights:
        """Copy a checkpoint into a project; retries never copy twice."""
        body = {
            "source_path": source_path,
            "destination_project_id": destination_project_id,
            "ttl_seconds": ttl_seconds,
        }
        headers = (
            {"x-tinker-weights-access-token": weights_access_token} if weights_access_token else {}
        )
        key = f"copy-{self.connection.random.getrandbits(128):032x}"
        answer = await self.connection.post(
            "/api/v1/copy_weights", body, persist=True, headers=headers, idempotency_key=key
        )
        return decode(CopiedWeights, answer)

    async def get_sampler(self, sampler_id: str) -> Sampler:
        """What a sampling session samples from."""
        return await self._fetch(Sampler, requests.get_sampler(sampler_id))

    async def list_sessions(
        self, limit: int = 20, offset: int = 0, *, access_scope: str | None = None
    ) -> SessionsList:
        call = requests.list_sessions(limit, offset, access_scope=access_scope)
        return await self._fetch(SessionsList, call)

    async def get_session(self, session_id: str) -> SessionInfo:
        """The runs and samplers of a session."""
        return await self._fetch(SessionInfo, requests.session_call("GET", session_id))

    async def set_session_project(self, session_id: str, project_id: str | None) -> None:
        """Move a session, and all it makes, into a project."""
        body = {"project_id": project_id}
        await self._send(requests.session_call("PUT", session_id, "/project", body))

    async def finish_session(
        self, session_id: str, reason: str = "success", detail: str | None = None
    ) -> None:
        """Say that a session is over: success, errored or interrupted. The first word counts."""
        body = {"reason": {"type": reason}, "detail": detail}
        await self._send(requests.session_call("POST", session_id, "/finish", body))

    async def search_sessions(
        self,
        *,
        session_id: str | None = None,
        project_ids: Sequence[str] | None = None,
        user_metadata: Mapping[str, str] | None = None,
        display_name: str | None = None,
        owner: Mapping[str, Any] | None = None,
        statuses: Sequence[Mapping[str, Any]] | None = None,
        limit: int = 50,
        cursor: SessionSearchCursor | None = None,
    ) -> SessionSearchPage:
        """One page (1–200) of sessions that meet all criteria; `cursor` is the last page's."""
        body = {
            "session_id": session_id,
            "project_ids": project_ids,
            "user_metadata": user_metadata or {},
            "display_name": display_name,
            "owner": owner,
            "statuses": statuses,
            "limit": limit,
            "cursor": cursor,
        }
        asked = {name: value for name, value in body.items() if value is not None}
        answer = await self.connection.post("/api/v1/sessions/search", asked, persist=True)
        return decode(SessionSearchPage, answer)

    async def search_checkpoints(
        self,
        *,
        project_ids: Sequence[str] | None = None,
        user_metadata: Mapping[str, str] | None = None,
        checkpoint_type: str | None = None,
        owner: Mapping[str, Any] | None = None,
        base_models: Sequence[str] | None = None,
        limit: int = 50,
        cursor: CheckpointSearchCursor | None = None,
    ) -> CheckpointSearchPage:
        """One page (1–200) of checkpoints that meet all criteria, newest first (SDK 0.39)."""
        body = {
            "project_ids": project_ids,
            "user_metadata": user_metadata or {},
            "checkpoint_type": checkpoint_type,
            "owner": owner,
            "base_models": base_models,
            "limit": limit,
            "cursor": cursor,
        }
        asked = {name: value for name, value in body.items() if value is not None}
        answer = await self.connection.post("/api/v1/checkpoints/search", asked, persist=True)
        return decode(CheckpointSearchPage, answer)

    async def external_weights_upload_start(
        self,
        base_model: str,
        lora_config: Mapping[str, Any],
        destination_project_id: str | None = None,
    ) -> ExternalUpload:
        """Links to PUT an adapter's files to (SDK 0.39; servers may refuse with 403)."""
        body: dict[str, Any] = {"base_model": base_model, "lora_config": dict(lora_config)}
        if destination_project_id is not None:
            body["destination_project_id"] = destination_project_id
        answer = await self.connection.post("/api/v1/external_weights_upload_start", body)
        return decode(ExternalUpload, answer)

    async def external_weights_upload_finish(self, upload_id: str) -> str:
        """The path of the checkpoint that the uploaded files make."""
        body = {"upload_id": upload_id}
        answer = await self.connection.post("/api/v1/external_weights_upload_finish", body)
        return str(answer["tinker_path"])

    async def export_session_trace(self, session_id: str) -> TraceExport:
        """Wait until the server has packed the session's trace; the result has its link."""
        call = requests.session_call("GET", session_id, "/trace_export")
        while True:
            export = await self._fetch(TraceExport, call)
            if export.status != "pending":
                return export
            await self.connection.clock.sleep(_TRACE_WAIT)

    async def get_audit_log(
        self, event_type: str | None = None, day: date | str | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """Who read or deleted what on a day."""
        query = _days(event_type=event_type, day=day)
        return list((await self._json(requests.get("/audit", query)))["entries"])

    async def get_billing_usage(
        self, starting_on: date | str, ending_before: date | str
    ) -> Mapping[str, Any]:
        """Usage events from the first moment to before the second; a day begins at 0:00 UTC."""
        query = {"starting_on": _moment(starting_on), "ending_before": _moment(ending_before)}
        return dict(await self._json(requests.get("/billing/usage/events", query)))

    async def get_checkpoint_storage_usage(
        self, project_id: str | None = None
    ) -> Mapping[str, Any]:
        """What stored checkpoints cost now."""
        query = {"project_id": project_id}
        return dict(await self._json(requests.get("/billing/usage/checkpoints/current", query)))

    async def pages(
        self, fetch: Callable[[int, int], Any], items: str, *, page_size: int = 100
    ) -> AsyncIterator[Any]:
        """All items of a paged list, page by page, as long as the cursor promises more."""
        offset = 0
        while True:
            page = await fetch(page_size, offset)
            found = getattr(page, items)
            for item in found:
                yield item
            offset += len(found)
            if not found or page.cursor is None or offset >= page.cursor.total_count:
                return

    async def _on_checkpoint(
        self, method: str, path: str, checkpoint_id: str | None, action: str = "", body: Any = None
    ) -> None:
        address = requests.checkpoint_address(path, checkpoint_id)
        await self._send(requests.checkpoint_call(method, address, action, body))

    async def _packed(self, call: Call) -> Reply:
        for attempt in range(_ARCHIVE_TRIES):
            try:
                return await self.connection.transport.send(call)
            except ApiStatusError as error:
                if error.status != 503 or attempt == _ARCHIVE_TRIES - 1:
                    raise
            await self.connection.clock.sleep(_ARCHIVE_WAIT)
        raise AssertionError("unreachable")

    async def _fetch(self, cls: type[T], call: Call) -> T:
        return decode(cls, await self._json(call))

    async def _json(self, call: Call) -> Any:
        return (await self._send(call)).json()

    async def _send(self, call: Call) -> Reply:
        connection = self.connection
        await connection.configure()
        return await connection.persistence.run(lambda: connection.transport.send(call))


def _moment(value: date | str) -> str:
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value.isoformat() if isinstance(value, datetime) else value


def _days(**values: date | str | None) -> dict[str, str | None]:
    return {
        name: value.isoformat() if isinstance(value, date) else value
        for name, value in values.items()
    }
