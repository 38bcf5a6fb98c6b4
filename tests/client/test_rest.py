"""Every REST method, the newest included, against a mock that refuses what it does not know."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import httpx
import pytest

from tests.client.conftest import ScriptedServer, config
from tinker_mock.client import ApiStatusError, AsyncServiceClient, ManualClock, ServiceClient
from tinker_mock.client.clock import ScaledClock
from tinker_mock.client.rest.client import AsyncRestClient
from tinker_mock.suite.mock_process import mock_server

pytestmark = pytest.mark.anyio
BASE = "Qwen/Qwen3-8B"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with mock_server(["--seed", "5", "--strict"]) as url:
        yield url


@pytest.fixture
def service(server: str) -> Iterator[ServiceClient]:
    options: dict[str, Any] = {"base_url": server, "telemetry_enabled": False}
    clock = ScaledClock(100.0)  # packing a trace is asked about every five seconds
    with ServiceClient(config("python-latest", **options), clock=clock) as opened:
        yield opened


def test_sessions_can_be_found_moved_traced_and_finished(service: ServiceClient) -> None:
    training = service.create_lora_training_client(BASE, 4, seed=1)
    rest = service.create_rest_client()
    session = service.inner.connection.session_id
    assert session is not None
    assert session in rest.list_sessions().sessions
    assert rest.get_session(session).training_run_ids == [training.model_id]
    rest.set_session_project(session, "project-1")
    page = rest.search_sessions(session_id=session, limit=5)
    assert [one.session_id for one in page.sessions] == [session]
    assert page.sessions[0].project_id == "project-1"
    assert rest.export_session_trace(session).status == "ready"
    rest.finish_session(session, "success", "done")


def test_checkpoints_can_be_found_and_weights_come_back_in(service: ServiceClient) -> None:
    training = service.create_lora_training_client(BASE, 4, seed=1)
    paths = [training.save_state(name, user_metadata={"k": name}).result().path for name in "abc"]
    rest = service.create_rest_client()
    first = rest.search_checkpoints(checkpoint_type="training", limit=2)
    assert [one.base_model for one in first.checkpoints] == [BASE, BASE]
    rest_of_it = rest.search_checkpoints(limit=2, cursor=first.next_cursor)
    found = [one.tinker_path for one in (*first.checkpoints, *rest_of_it.checkpoints)]
    assert sorted(found) == sorted(paths)
    (tagged,) = rest.search_checkpoints(user_metadata={"k": "b"}).checkpoints
    assert tagged.tinker_path == paths[1]
    outside = training.save_weights_external("e").result().path
    assert outside is not None
    lora = {"rank": 4, "train_attn": True, "train_mlp": True, "train_unembed": True}
    upload = rest.external_weights_upload_start(BASE, lora)
    for name, url in rest.get_external_weights_urls(outside).urls.items():
        where = upload.urls[name]
        target = where if isinstance(where, str) else where["url"]
        assert httpx.put(target, content=httpx.get(url).content).is_success
    path = rest.external_weights_upload_finish(upload.upload_id)
    assert path.endswith("/external_weights/uploaded")
    (listed,) = rest.search_checkpoints(owner={"type": "own"}, limit=1).checkpoints
    assert listed.tinker_path == path


def test_runs_and_checkpoints_have_a_life_of_their_own(service: ServiceClient) -> None:
    training = service.create_lora_training_client(BASE, 4, seed=1)
    path = training.save_state("a", ttl_seconds=7200, user_metadata={"k": "v"}).result().path
    named = training.save_weights_for_sampler("s").result().path
    assert named is not None
    outside = training.save_weights_external("e").result().path
    rest = service.create_rest_client()
    run = rest.get_training_run_by_tinker_path(path)
    assert run.training_run_id == training.model_id
    assert run.last_checkpoint is not None
    listed = {
        one.tinker_path: one for one in rest.list_checkpoints(run.training_run_id).checkpoints
    }
    assert {path, named, outside} <= listed.keys()
    assert listed[path].expires_at is not None
    assert listed[path].user_metadata == {"k": "v"}
    rest.set_checkpoint_ttl(path, None)
    rest.publish_checkpoint(path)
    info = rest.get_weights_info_by_tinker_path(path)
    assert (info.base_model, info.lora_rank) == (BASE, 4)
    assert rest.get_external_weights_urls(outside).urls
    assert rest.get_checkpoint_archive_url(path).url.startswith("http")
    copied = rest.copy_weights(path, "project-2").tinker_path
    assert copied != path
    rest.unpublish_checkpoint(path)
    rest.delete_checkpoint(path)
    with pytest.raises(ApiStatusError) as caught:
        rest.get_weights_info_by_tinker_path(path)
    assert caught.value.status == 404
    sampler = service.create_sampling_client(model_path=named)
    assert rest.get_sampler(sampler.sampling_session_id).base_model == BASE


def test_administrators_see_logs_and_bills(service: ServiceClient) -> None:
    rest = service.create_rest_client()
    assert isinstance(rest.get_audit_log("all", date(2025, 1, 1)).entries, list)
    assert rest.get_billing_usage(date(2025, 1, 1), "2025-01-15T00:00:00Z").data == []
    assert rest.get_current_checkpoint_storage_usage().data[0].checkpoint_count > 0


async def test_pages_are_walked_until_the_cursor_says_there_is_no_more() -> None:
    runs = [
        {
            "training_run_id": f"r{number}",
            "base_model": "b",
            "model_owner": "o",
            "is_lora": True,
            "last_request_time": "2025-01-01T00:00:00Z",
        }
        for number in range(5)
    ]

    def page(request: Any) -> Any:
        limit, offset = (int(request.url.params[name]) for name in ("limit", "offset"))
        cursor = {"offset": offset, "limit": limit, "total_count": 5}
        return {"training_runs": runs[offset : offset + limit], "cursor": cursor}

    server = ScriptedServer({"training_runs": page})
    async with AsyncServiceClient(config(), http=server, clock=ManualClock()) as service:
        rest: AsyncRestClient = service.create_rest_client()
        pages = rest.pages(rest.list_training_runs, "training_runs", page_size=2)
        assert [one.training_run_id async for one in pages] == ["r0", "r1", "r2", "r3", "r4"]
    assert len(server.requests) == 3


async def test_copying_twice_by_retry_is_prevented_by_one_key() -> None:
    answers = [(503, {}), (503, {}), {"tinker_path": "tinker://c/weights/x"}]
    server = ScriptedServer({"copy_weights": answers})
    options: dict[str, Any] = {"max_retries": 0, "submission_window": 100.0}
    async with AsyncServiceClient(
        config(**options), http=server, clock=ManualClock(autojump=True)
    ) as service:
        rest = service.create_rest_client()
        await rest.copy_weights("tinker://r/weights/x", "p", weights_access_token="secret")
    keys = {one.headers["x-idempotency-key"] for one in server.requests}
    assert len(keys) == 1
    assert server.requests[0].headers["x-tinker-weights-access-token"] == "secret"
