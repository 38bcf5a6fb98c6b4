"""`AsyncRestClient`: everything that is neither training nor sampling."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Literal, TypeVar

from tinker_mock.client.errors import ApiStatusError, TinkerError, invalid
from tinker_mock.client.http.call import Call, Reply
from tinker_mock.client.http.jwt import token_claims
from tinker_mock.client.http.responses import REDIRECTS, http_date, redirect_target
from tinker_mock.client.rest import requests
from tinker_mock.client.rest.admin import AsyncAdminClient
from tinker_mock.client.rest.paths import parse_checkpoint_path
from tinker_mock.client.session.connection import Connection
from tinker_mock.client.types.billing import (
    AuditLogResponse,
    BillingUsageResponse,
    CheckpointStorageUsage,
    WhoamiResponse,
)
from tinker_mock.client.types.json import decode
from tinker_mock.client.types.parameters import check_ttl
from tinker_mock.client.types.records import (
    ArchiveUrl,
    CheckpointSearchCursor,
    CheckpointSearchPage,
    CheckpointsList,
    CopiedWeights,
    ExternalUpload,
    ExternalWeightsUrls,
    Sampler,
    ServerCapabilities,
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

AccessScope = Literal["owned", "accessible"]
ACCESS_SCOPES = ("owned", "accessible")
_ARCHIVE_TRIES, _ARCHIVE_WAIT = 6, 30.0
_TRACE_WAIT = 5.0


class AsyncRestClient:
    """Runs, checkpoints, samplers, sessions, audit log and bills.

    Methods that take `path` want a `tinker://` path; with `checkpoint_id`, `path` is the run's id
    instead. Errors are `ApiStatusError` with the server's status.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._admin = AsyncAdminClient(connection)

    async def list_training_runs(
        self,
        limit: int = 20,
        offset: int = 0,
        access_scope: AccessScope | None = None,
        project_id: str | None = None,
    ) -> TrainingRunsList:
        """One page, newest first. `accessible` are also those of others that you may read."""
        call = requests.list_training_runs(
            limit, offset, access_scope=self._scope(access_scope), project_id=project_id
        )
        return await self._fetch(TrainingRunsList, call)

    async def get_training_run(
        self, training_run_id: str, access_scope: AccessScope | None = None
    ) -> TrainingRun:
        """One run by its id."""
        scope = self._scope(access_scope)
        return await self._fetch(
            TrainingRun, requests.get_training_run(training_run_id, access_scope=scope)
        )

    async def get_training_run_by_tinker_path(
        self, tinker_path: str, access_scope: AccessScope | None = None
    ) -> TrainingRun:
        """The run that saved a checkpoint."""
        run_id = parse_checkpoint_path(tinker_path).training_run_id
        return await self.get_training_run(run_id, access_scope=access_scope)

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
        """Let it expire in so many seconds; `None` keeps it for ever.

        Raises `ValidationError`, before anything is sent, for a time that is not positive.
        """
        check_ttl(ttl_seconds)
        await self._on_checkpoint("PUT", path, None, "/ttl", {"ttl_seconds": ttl_seconds})

    async def get_checkpoint_archive_url(
        self, path: str, checkpoint_id: str | None = None
    ) -> ArchiveUrl:
        """A signed link to the archive; waits while the server is still packing it (503)."""
        address = requests.checkpoint_address(path, checkpoint_id)
        call = requests.archive(address, self.connection.preset.archive_accept)
        reply = await self._packed(call)
        if reply.status in REDIRECTS:
            target = redirect_target(reply)
            return ArchiveUrl(target["url"], http_date(target["expires"]))
        return decode(ArchiveUrl, reply.json())

    async def get_external_weights_urls(self, tinker_path: str) -> ExternalWeightsUrls:
        """Signed links to the files of an external checkpoint, by file name."""
        return await self._fetch(ExternalWeightsUrls, requests.external_urls(tinker_path))

    async def get_weights_info_by_tinker_path(self, tinker_path: str) -> WeightsInfo:
        """Base model and LoRA rank of a checkpoint, also of somebody else's published one."""
        body = {"tinker_path": tinker_path}
        answer = await self.connection.post("/api/v1/weights_info", body, persist=True)
        return decode(WeightsInfo, answer)

    async def copy_weights(
        self,
        path: str,
        destination_project_id: str | None = None,
        *,
        ttl_seconds: int | None = None,
        weights_access_token: str | None = None,
    ) -> CopiedWeights:
        """Copy a checkpoint into a project, by default this client's; retries never copy twice.

        Raises `ValidationError` where neither is known.
        """
        destination_project_id = destination_project_id or self.connection.config.project_id
        if destination_project_id is None:
            raise invalid("provide destination_project_id, or set TINKER_PROJECT_ID")
        body = {
            "source_path": path,
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
        self, limit: int = 20, offset: int = 0, access_scope: AccessScope | None = None
    ) -> SessionsList:
        """Ids of sessions, newest first."""
        call = requests.list_sessions(limit, offset, access_scope=self._scope(access_scope))
        return await self._fetch(SessionsList, call)

    async def get_session(
        self, session_id: str, access_scope: AccessScope | None = None
    ) -> SessionInfo:
        """The runs and samplers of a session."""
        scope = self._scope(access_scope)
        return await self._fetch(SessionInfo, requests.get_session(session_id, access_scope=scope))

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
        """One page (1–200) of sessions that meet all criteria; `cursor` is the last page's.

        Without an `owner` one's own are searched.
        """
        body = {
            "session_id": session_id,
            "project_ids": project_ids,
            "user_metadata": user_metadata or {},
            "display_name": display_name,
            "owner": owner or {"type": "own"},
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
        self, event_type: str = "all", day: date | str | None = None
    ) -> AuditLogResponse:
        """As `AsyncAdminClient.get_audit_log`."""
        return await self._admin.get_audit_log(event_type, day)

    async def get_billing_usage(
        self, starting_on: date | str, ending_before: date | str
    ) -> BillingUsageResponse:
        """As `AsyncAdminClient.get_billing_usage`."""
        return await self._admin.get_billing_usage(starting_on, ending_before)

    async def get_current_checkpoint_storage_usage(
        self, project_id: str | None = None
    ) -> CheckpointStorageUsage:
        """As `AsyncAdminClient.get_current_checkpoint_storage_usage`."""
        return await self._admin.get_current_checkpoint_storage_usage(project_id)

    async def get_server_capabilities(self) -> ServerCapabilities:
        """The models the server offers."""
        return ServerCapabilities.from_wire(
            await self._json(requests.get("/get_server_capabilities"))
        )

    async def whoami(self) -> WhoamiResponse:
        """Whose key this is. Raises `ApiStatusError` where the server makes no tokens of keys."""
        call = Call("POST", "/api/v1/auth/token", json={}, pool="session")
        claims = token_claims((await self._send(call)).json().get("jwt"))
        organization = f"tml:organization:{claims['org_id']}"
        return WhoamiResponse(str(claims["sub"]), organization, claims.get("email") or None)

    def get_telemetry(self) -> Any:
        """What reports the session's events; `None` before there is one, or if turned off."""
        return self.connection.reporter

    async def pages(
        self, fetch: Callable[[int, int], Awaitable[Any]], items: str, *, page_size: int = 100
    ) -> AsyncIterator[Any]:
        """All items of a paged list, page by page, as long as the cursor promises more.

        `fetch(limit, offset)` is one of this client's methods, `items` the page's field.
        """
        offset = 0
        while True:
            page = await fetch(page_size, offset)
            found = getattr(page, items)
            for item in found:
                yield item
            offset += len(found)
            if not found or page.cursor is None or offset >= page.cursor.total_count:
                return

    def _scope(self, asked: AccessScope | None) -> AccessScope | None:
        """What was asked for, or what the preset's client says when nobody asks."""
        if asked not in (None, *ACCESS_SCOPES):
            raise invalid(f"access_scope is one of {', '.join(ACCESS_SCOPES)}, got {asked!r}")
        return asked or self.connection.preset.access_scope

    async def _on_checkpoint(
        self, method: str, path: str, checkpoint_id: str | None, action: str = "", body: Any = None
    ) -> None:
        address = requests.checkpoint_address(path, checkpoint_id)
        await self._send(requests.checkpoint_call(method, address, action, body))

    async def _packed(self, call: Call) -> Reply:
        waits = replace(self.connection.persistence, passing=(503,))
        for attempt in range(_ARCHIVE_TRIES):
            try:
                return await waits.run(lambda: self.connection.transport.send(call))
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
        try:
            await connection.configure()
            return await connection.persistence.run(lambda: connection.transport.send(call))
        except TinkerError as error:
            connection.events.emit("operation.exception", error=error)
            raise
