"""Three servers with one store are one service, whichever a client asks."""

import hashlib

from tests.server.cluster.conftest import Api


def batch(model: str, seq_id: int) -> dict[str, object]:
    tokens = [11, 13, 17, 19, 23]
    inputs = {
        "target_tokens": {"data": tokens[1:], "dtype": "int64", "shape": [4]},
        "weights": {"data": [1.0] * 4, "dtype": "float32", "shape": [4]},
    }
    chunks = [{"type": "encoded_text", "tokens": tokens[:-1]}]
    datum = {"model_input": {"chunks": chunks}, "loss_fn_inputs": inputs}
    given = {"data": [datum], "loss_fn": "cross_entropy"}
    return {"model_id": model, "seq_id": seq_id, "forward_backward_input": given}


def saved(at: Api, model: str, seq_id: int, name: str) -> str:
    asked = at.submit("save_weights", {"model_id": model, "seq_id": seq_id, "path": name})
    return str(at.outcome(asked)["path"])


def test_operations_sent_to_different_servers_run_in_order(three: list[Api]) -> None:
    one, two, other = three
    model = one.model(two.session())
    rate = {"learning_rate": 1e-4}
    asked = []
    for step in range(6):
        number = 2 * step
        asked.append(three[step % 3].submit("forward_backward", batch(model, number + 1)))
        stepped = {"model_id": model, "seq_id": number + 2, "adam_params": rate}
        three[(step + 1) % 3].submit("optim_step", stepped)
    losses = [
        three[(at + 2) % 3].outcome(request)["metrics"]["loss:sum"]
        for at, request in enumerate(asked)
    ]
    assert losses == sorted(losses, reverse=True)
    assert len(set(losses)) == len(losses)
    assert other.submit("forward_backward", batch(model, 1)) == asked[0]


def test_a_checkpoint_is_there_for_everybody_at_once(three: list[Api]) -> None:
    one, two, other = three
    path = saved(one, one.model(one.session()), 1, "shared")
    for api in three:
        found = api.get("/api/v1/checkpoints")["checkpoints"]
        assert path in [each["tinker_path"] for each in found]
    run = path.split("/")[2]
    published = two.http.post(f"/api/v1/training_runs/{run}/checkpoints/weights/shared/publish")
    assert published.status_code == 204 or published.is_success
    stranger = Api(other.server, "tml-stranger")
    model = stranger.model(stranger.session())
    wanted = {"model_id": model, "seq_id": 1, "path": path, "optimizer": True}
    assert stranger.outcome(stranger.submit("load_weights", wanted))["path"] == path


def test_a_deleted_key_opens_nothing_anywhere(three: list[Api]) -> None:
    keys = [Api(api.server, "tml-to-be-deleted") for api in three]
    sessions = [api.session() for api in keys]
    assert keys[0].http.delete("/api/v1/auth/apikey/me").is_success
    for api, session in zip(keys, sessions, strict=True):
        refused = api.http.post("/api/v1/session_heartbeat", json={"session_id": session})
        assert refused.status_code == 401


def test_a_token_of_one_server_is_good_at_the_others(three: list[Api]) -> None:
    fresh = Api(three[0].server, "tml-wants-a-token")
    token = fresh.post("auth/token")["jwt"]
    for api in three:
        with_token = Api(api.server, token)
        assert with_token.session()


def test_each_session_has_one_owner_and_all_are_told_of(three: list[Api]) -> None:
    sessions = {api.session() for api in three for _ in range(2)}
    told = [api.get("/_mock/state")["servers"] for api in three]
    assert {one["id"] for one in told[0]} == {one["id"] for one in told[1]}
    assert [len(one) for one in told] == [3, 3, 3]
    units = sum(one["units"] for one in told[0])
    for api in three:
        found = [one["session_id"] for one in api.get("/_mock/sessions")["sessions"]]
        assert sessions <= set(found)
        assert len(found) == len(set(found)) == units - 1  # the service itself is one


def test_the_journals_of_all_are_asked_at_one(three: list[Api]) -> None:
    one, two, _ = three
    marked = Api(one.server, "tml-journal"), Api(two.server, "tml-journal")
    session = marked[0].session()
    for api in marked:
        api.post("session_heartbeat", {"session_id": session})
    tenant = f"user-{hashlib.sha256(b'tml-journal').hexdigest()[:12]}"
    wanted = {"operation": "session_heartbeat", "tenant": tenant, "servers": "all", "view": "line"}
    entries = one.get("/_mock/journal", **wanted)["entries"]
    assert len({entry["server"] for entry in entries}) == 2
    assert [entry["time"] for entry in entries] == sorted(entry["time"] for entry in entries)
    assert one.get("/_mock/journal/count", **wanted)["count"] == len(entries)
    assert one.get("/_mock/journal/count", **{**wanted, "servers": "this"})["count"] == 1


def test_a_scenario_is_put_on_everywhere(three: list[Api]) -> None:
    three[1].http.put("/_mock/scenario", json={"name": "rate-limited"})
    assert [api.get("/_mock/state")["scenario"] for api in three] == ["rate-limited"] * 3
    three[2].http.put("/_mock/scenario", json={"name": "healthy"})
    assert [api.get("/_mock/state")["scenario"] for api in three] == ["healthy"] * 3


def test_what_is_refused_uses_up_its_number_at_the_owner(three: list[Api]) -> None:
    one, two, other = three
    model = one.model(one.session())
    bad = {"model_id": model, "seq_id": 1, "forward_backward_input": {"data": "nothing"}}
    assert two.http.post("/api/v1/forward_backward", json=bad).status_code == 422
    assert other.outcome(other.submit("forward_backward", batch(model, 2)))["metrics"]


def test_text_that_postgresql_does_not_take_is_kept(three: list[Api]) -> None:
    one, two, _ = three
    model = one.model(one.session())
    odd = "a\0b"
    told = {"model_id": model, "seq_id": 1, "path": odd}
    answer = two.http.post("/api/v1/save_weights", json=told)
    assert answer.status_code in (200, 400, 422)
    for path, body in (
        ("retrieve_future", {"request_id": odd}),
        ("get_info", {"model_id": odd}),
        ("create_session", {"tags": [odd], "user_metadata": {odd: odd}, "sdk_version": "0.38.0"}),
        ("session_heartbeat", {"session_id": odd}),
    ):
        assert two.http.post(f"/api/v1/{path}", json=body).status_code < 500
    assert one.session()
