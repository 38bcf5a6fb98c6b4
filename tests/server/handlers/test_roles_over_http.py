"""Roles: who may look at bills, at the audit log, and who may only sample."""

from collections.abc import Callable, Iterator

import pytest

from tests.server.conftest import TOKENS, Api, sample, training_step
from tinker_mock.server.app import create_app
from tinker_mock.server.errors import ConfigurationError
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings

OWNER = "tml-owner"
ROLES = ("tml-bills=billing-admin@tml-owner", "tml-mate=member@tml-owner",
         "tml-guest=project-sampler@tml-owner")  # fmt: skip
Members = Callable[[str], Api]
WINDOW = {"starting_on": "2026-01-01T00:00:00Z", "ending_before": "2026-01-02T00:00:00Z"}


@pytest.fixture
def member(tinker_mock: RunningServer) -> Iterator[Members]:
    """The wire with a key, closed at the end."""
    made: dict[str, Api] = {}

    def with_key(key: str) -> Api:
        if key not in made:
            made[key] = Api(tinker_mock, key)
        return made[key]

    yield with_key
    for api in made.values():
        api.http.close()


@pytest.mark.tinker_mock(clock="manual", keys=ROLES)
def test_bills_are_for_admins_and_billing_admins_and_cover_the_organization(
    member: Members,
) -> None:
    owner = member(OWNER)
    model = owner.model()
    owner.done("forward_backward", training_step(model, 1))
    reports = ("billing/usage/events", "billing/usage/checkpoints/current")
    for key, status in ((OWNER, 200), ("tml-bills", 200), ("tml-mate", 403), ("tml-guest", 403)):
        for report in reports:
            assert member(key).get(report, **WINDOW).status_code == status, (key, report)
    seen = member("tml-bills").get(reports[0], **WINDOW).json()["data"]
    mine = owner.get(reports[0], **WINDOW).json()["data"]
    assert seen == mine
    assert mine[0]["event_info"] == {"type": "training", "token_count": len(TOKENS) - 1}


@pytest.mark.tinker_mock(keys=ROLES)
def test_the_audit_log_is_for_admins(member: Members) -> None:
    for key, status in ((OWNER, 200), ("tml-bills", 403), ("tml-mate", 403), ("tml-guest", 403)):
        answer = member(key).get("audit")
        assert answer.status_code == status
        if status == 403:
            assert "get_audit_log needs the role admin" in answer.json()["error"]["rule"]
    member("tml-mate").session()
    events = member(OWNER).get("audit").json()["entries"]
    assert [entry["event"] for entry in events] == ["session_create"]


@pytest.mark.tinker_mock(keys=ROLES)
def test_a_project_sampler_samples_and_does_not_see_how_it_was_trained(
    member: Members,
) -> None:
    owner, guest = member(OWNER), member("tml-guest")
    model = owner.model()
    owner.done("forward_backward", training_step(model, 1))
    named = {"model_id": model, "seq_id": 2, "path": "s"}
    path = owner.done("save_weights_for_sampler", named)["path"]
    sampler = guest.sampler(model_path=path)
    assert guest.done("asample", sample(sampler, 0))["sequences"][0]["tokens"]
    hidden = (f"training_runs/{model}", "training_runs", "checkpoints",
              f"training_runs/{model}/checkpoints/sampler_weights/s/archive")  # fmt: skip
    for where in hidden:
        assert guest.get(where).status_code == 403, where
    create = {"session_id": guest.session(), "model_seq_id": 0, "base_model": "Qwen/Qwen3-8B"}
    refused = guest.post("create_model", create)
    assert refused.status_code == 403
    assert "project-sampler" in refused.json()["detail"]


@pytest.mark.tinker_mock(keys=ROLES)
def test_members_share_the_project_and_strangers_do_not(member: Members) -> None:
    owner, mate = member(OWNER), member("tml-mate")
    stranger = member("tml-stranger")
    model = owner.model()
    path = owner.done("save_weights", {"model_id": model, "seq_id": 1, "path": "a"})["path"]
    load = {"model_seq_id": 0, "path": path, "optimizer": False}
    assert mate.done("load_weights", {**load, "session_id": mate.session()})["model_id"]
    refused = stranger.post("load_weights", {**load, "session_id": stranger.session()})
    assert refused.status_code == 403
    assert "is private" in refused.json()["detail"]
    missing = {**load, "path": path + "b", "session_id": stranger.session()}
    assert stranger.post("load_weights", missing).status_code == 404


def test_the_control_api_gives_roles(member: Members) -> None:
    key = "tml-promoted"
    api = member(key)
    assert api.get("audit").status_code == 200
    body = {"key": key, "role": "member", "organization_of": "tml-boss"}
    given = api.http.put("/_mock/keys", json=body).json()
    assert given["role"] == "member"
    assert api.get("audit").status_code == 403
    api.http.post("/_mock/reset")
    assert api.get("audit").status_code == 403
    assert api.http.put("/_mock/keys", json={"key": "x", "role": "admin"}).status_code == 422


@pytest.mark.parametrize("wrong", ["tml-a", "tml-a=king", "=admin", "a=admin", "tml-a=admin@b"])
def test_what_is_no_role_is_refused_at_the_start(wrong: str) -> None:
    with pytest.raises(ConfigurationError):
        create_app(Settings(keys=(wrong,)))


def test_somebody_elses_session_and_model_are_forbidden(api: Api, stranger: Api) -> None:
    session = api.session()
    model = api.model(session)
    for taken in (session, "no-such-session"):
        body = {"session_id": taken, "model_seq_id": 5, "base_model": "Qwen/Qwen3-8B"}
        refused = stranger.post("create_model", body)
        assert refused.status_code == 403
        assert refused.json()["detail"] == "Invalid session_id"
    foreign = stranger.post("forward_backward", training_step(model, 1))
    assert foreign.status_code == 403
    assert foreign.json()["detail"] == "You do not have access to this model"
    assert stranger.post("forward_backward", training_step("gone", 1)).status_code == 404
    assert stranger.get(f"sessions/{session}").status_code == 404
