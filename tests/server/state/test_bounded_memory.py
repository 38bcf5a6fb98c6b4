"""What is kept follows from what is alive, not from how much was done."""

import gc
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.server.conftest import Api, datum, sample, training_step, update
from tinker_mock.server.engine import Trainer, Weights
from tinker_mock.server.engine.model.context_tables import ContextTable
from tinker_mock.server.engine.model.normalisers import Normalisers
from tinker_mock.server.engine.training.gradient import Gradient
from tinker_mock.server.service import housekeeping
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings

SMALL = {"kept_results": 20, "journal_size": 20, "clock": "manual"}
SHORT = {"max_tokens": 1}


class Player:
    """One client on a server whose time stands still until it is moved."""

    def __init__(self, server: RunningServer) -> None:
        self.api, self.server = Api(server, "tml-memory"), server
        self.seq = 0

    def pass_time(self, seconds: float) -> None:
        async def advance() -> None:
            self.server.mock.clock.advance(seconds)
            housekeeping.tidy(self.server.mock.backend)
            self.server.mock.backend.promises.retention.sweep()

        self.server.call(advance())

    def counts(self) -> dict[str, int]:
        return {name: len(table) for name, table in self.server.mock.state.tables().items()}

    def samples(self, sampler: str, times: int) -> None:
        for _ in range(times):
            self.seq += 1
            body = sample(sampler, self.seq, sampling_params=SHORT)
            self.api.outcome(self.api.submit("asample", body))


@pytest.fixture
def player(tinker_mock: RunningServer) -> Any:
    one = Player(tinker_mock)
    with one.api.http:
        yield one


def objects() -> int:
    gc.collect()
    return len(gc.get_objects())


@pytest.mark.tinker_mock(**SMALL)
def test_a_thousand_operations_leave_no_more_than_a_hundred(player: Player) -> None:
    sampler = player.api.sampler()
    player.samples(sampler, 100)
    before, counted = objects(), player.counts()
    player.samples(sampler, 900)
    assert player.counts() == counted
    assert objects() < 1.02 * before


@pytest.mark.tinker_mock(**SMALL)
def test_a_result_that_was_read_gives_way_to_later_ones(player: Player) -> None:
    api, sampler = player.api, player.api.sampler()
    unread = api.submit("asample", sample(sampler, 500, sampling_params=SHORT))
    read = api.submit("asample", sample(sampler, 501, sampling_params=SHORT))
    api.outcome(read)
    player.samples(sampler, 19)
    assert api.post("retrieve_future", {"request_id": read}).status_code == 200
    player.samples(sampler, 20)
    assert api.post("retrieve_future", {"request_id": read}).status_code == 410
    player.samples(sampler, 41)
    player.pass_time(1)
    assert api.post("retrieve_future", {"request_id": read}).status_code == 404
    assert api.post("retrieve_future", {"request_id": unread}).status_code == 200


@pytest.mark.tinker_mock(clock="manual", result_retention=100.0)
def test_results_expire_and_are_forgotten(player: Player) -> None:
    api, model = player.api, player.api.model()
    done = api.submit("forward_backward", training_step(model, 1))
    first = api.outcome(done)
    player.pass_time(99)
    assert api.outcome(done) == first
    player.pass_time(2)
    assert api.post("retrieve_future", {"request_id": done}).status_code == 410
    player.pass_time(102)
    assert api.post("retrieve_future", {"request_id": done}).status_code == 404
    assert player.counts()["promises"] == 0
    # The lane goes on where it was: a number that was used is not used again.
    assert api.post("optim_step", update(model, 1)).status_code == 409
    assert "metrics" in api.done("optim_step", update(model, 2))


@pytest.mark.tinker_mock(clock="manual", keep=1000.0)
def test_an_ended_session_is_forgotten_with_all_that_is_under_it(player: Player) -> None:
    api = player.api
    session = api.session()
    model = api.model(session)
    api.done("forward_backward", training_step(model, 1))
    player.samples(api.sampler(session), 3)
    kept = api.session()
    saved = api.model(kept)
    path = api.done("save_weights", {"model_id": saved, "seq_id": 1, "path": "kept"})["path"]
    for one in (session, kept):
        api.post(f"sessions/{one}/finish", {"reason": {"type": "success"}})
    player.pass_time(1)
    run = player.server.mock.state.runs[model]
    assert run.trainer is None
    player.pass_time(7300)
    assert player.counts() == {**player.counts(), "sessions": 1, "runs": 1, "samplers": 0}
    assert player.counts()["lanes"] == 1
    assert api.get("sessions").json()["sessions"] == [kept]
    assert api.post("weights_info", {"tinker_path": path}).status_code == 200


@pytest.mark.tinker_mock(clock="manual", result_retention=100.0)
def test_of_many_sessions_that_ended_the_latest_stay(
    player: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "MOST_ENDED", 3)
    api, ended = player.api, []
    lasting, going = api.session(), api.session()
    api.done("save_weights", {"model_id": api.model(lasting), "seq_id": 1, "path": "kept"})
    for session in (lasting, *[api.session() for _ in range(6)]):
        player.samples(api.sampler(session, number=7), 2)
        api.post(f"sessions/{session}/finish", {"reason": {"type": "success"}})
        player.pass_time(1)
        ended.append(session)
    assert set(api.get("sessions").json()["sessions"]) == {lasting, going, *ended[-3:]}
    counts = player.counts()
    assert (counts["sessions"], counts["samplers"], counts["usage"]) == (5, 4, 9)
    for _ in range(3):  # results expire, are forgotten, and then their lanes
        player.pass_time(101)
    assert player.counts()["lanes"] == 2  # of the session whose checkpoint is there


@pytest.mark.tinker_mock(clock="manual", result_retention=100.0)
def test_a_curve_ends_with_its_model(player: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "MOST_ENDED", 2)
    api, models = player.api, []
    for _ in range(5):
        session = api.session()
        models.append(api.model(session))
        api.done("forward_backward", training_step(models[-1], 1))
        api.done("optim_step", update(models[-1], 2))
        api.post(f"sessions/{session}/finish", {"reason": {"type": "success"}})
        player.pass_time(1)
    told = api.http.get("/_mock/training").json()["models"]
    assert [model["model_id"] for model in told] == models[-3:]  # when the last began
    assert all(len(model["points"]) == 1 for model in told)


@pytest.mark.parametrize("lasting", [False, True])
def test_idle_models_are_packed_and_go_on_where_they_were(tmp_path: Path, lasting: bool) -> None:
    told = []
    for limit in (None, 1):
        kept = tmp_path / f"data-{limit}" if lasting else None
        settings = Settings(port=0, seed=2, memory_limit=limit, data_dir=kept)
        with RunningServer(settings) as server:
            api = Api(server, "tml-memory")
            session = api.session()
            models = [api.model(session, number) for number in range(4)]
            seen = []
            for step in range(3):
                for model in models:
                    body = training_step(model, 2 * step + 1, datum(list(range(step, 400))))
                    seen.append(api.done("forward_backward", body))
                    seen.append(api.done("optim_step", update(model, 2 * step + 2)))
            runs = [server.mock.state.runs[model] for model in models]
            awake = [run for run in runs if run.trainer is not None]
            assert (len(awake) == 4) is (limit is None)
            assert all(run.loaded for run in runs)
            told.append(seen)
            api.http.close()
    assert told[0] == told[1]


def trained_by_many(server: RunningServer, clients: int, steps: int) -> list[list[Any]]:
    """What each of them was told, all at once."""

    def trained(number: int) -> list[Any]:
        api, told = Api(server, f"tml-many-{number}"), []
        with api.http:
            model = api.model()
            for step in range(steps):
                tokens = [(number * 7919 + step * 4801 + place * 31) % 9000 for place in range(150)]
                body = training_step(model, 3 * step + 1, datum(tokens))
                told.append(api.done("forward_backward", body))
                told.append(api.done("optim_step", update(model, 3 * step + 2)))
                body = {"model_id": model, "seq_id": 3 * step + 3}
                saved = api.done("save_weights_for_sampler", body)["sampling_session_id"]
                told.append(api.done("asample", sample(saved, 1)))
        return told

    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(trained, range(clients)))


@pytest.mark.parametrize("lasting", [False, True])
def test_models_are_packed_while_others_are_asked_for(tmp_path: Path, lasting: bool) -> None:
    told = []
    for limit in (None, 1):
        kept = tmp_path / f"data-{limit}" if lasting else None
        with RunningServer(Settings(port=0, seed=2, memory_limit=limit, data_dir=kept)) as server:
            told.append(trained_by_many(server, clients=8, steps=4))
    assert told[0] == told[1]


KINDS = (Trainer, Weights, ContextTable, Normalisers, Gradient)


def alive() -> Counter[str]:
    """How many there are of what the engine holds for a model."""
    gc.collect()
    return Counter(type(one).__name__ for one in gc.get_objects() if isinstance(one, KINDS))


def trained_and_sampled(player: Player, session: str, number: int) -> str:
    """A model that left behind results, a snapshot and a sample."""
    api = player.api
    model = api.model(session, number)
    for step in range(3):
        api.done("forward_backward", training_step(model, 3 * step + 1))
        api.done("optim_step", update(model, 3 * step + 2))
        body = {"model_id": model, "seq_id": 3 * step + 3}
        saved = api.done("save_weights_for_sampler", body)["sampling_session_id"]
        player.samples(saved, 2)
    return model


@pytest.mark.tinker_mock(clock="manual", result_retention=100.0)
def test_nothing_of_a_model_outlives_it(player: Player) -> None:
    """Unloaded, or its session ended, and the results' time over."""
    api, before = player.api, alive()
    counts = []
    for _ in range(3):
        session = api.session()
        models = [trained_and_sampled(player, session, number) for number in range(4)]
        for model in models[:2]:
            api.done("unload_model", {"model_id": model})
        assert (alive() - before)["Trainer"] == 2
        api.post(f"sessions/{session}/finish", {"reason": {"type": "success"}})
        player.pass_time(300)
        counts.append(alive() - before)
    assert counts[0] == counts[1] == counts[2]
    # Of the base model: the untrained model's table, and the one that it is scored with.
    assert set(counts[0]) <= {"ContextTable", "Normalisers"}
    assert max(counts[0].values(), default=0) <= 2


@pytest.mark.tinker_mock(clock="manual", max_sessions=10)
def test_sessions_that_ended_give_way_and_open_ones_do_not(player: Player) -> None:
    api = player.api
    mine = [api.session() for _ in range(10)]
    told = {"tags": [], "user_metadata": None, "sdk_version": "0.38.0"}
    refused = api.post("create_session", told)
    assert refused.status_code == 403
    assert "10" in refused.text
    assert "--max-sessions" in refused.text
    api.post(f"sessions/{mine[3]}/finish", {"reason": {"type": "success"}})
    api.session()
    assert mine[3] not in api.get("sessions").json()["sessions"]
    assert len(api.get("sessions").json()["sessions"]) == 10


@pytest.mark.tinker_mock(max_tenants=3, max_snapshots=2)
def test_keys_and_snapshots_have_a_limit(tinker_mock: RunningServer) -> None:
    clients = [Api(tinker_mock, f"tml-{number}") for number in range(6)]
    for client in clients[:3]:
        client.session()
    refused = clients[3].get("sessions")
    assert refused.status_code == 403
    assert "--max-tenants" in refused.text
    taken = [clients[0].http.post("/_mock/snapshots") for _ in range(3)]
    for client in clients:
        client.http.close()
    assert [answer.status_code for answer in taken] == [201, 201, 403]
    assert "--max-snapshots" in taken[2].text


@pytest.mark.tinker_mock(max_tenants=3)
def test_a_key_that_owns_nothing_gives_way(tinker_mock: RunningServer) -> None:
    for number in range(10):
        client = Api(tinker_mock, f"tml-passing-{number}")
        with client.http:
            assert client.get("sessions").status_code == 200
    assert len(tinker_mock.mock.state.tenants) <= 3


@pytest.mark.tinker_mock(clock="manual", max_models=10)
def test_a_session_that_goes_on_for_ever_forgets_its_oldest_models_and_samplers(
    player: Player,
) -> None:
    api = player.api
    session = api.session()
    saved = api.model(session, 0)
    api.done("save_weights", {"model_id": saved, "seq_id": 1, "path": "kept"})
    made = [saved] + [_used_up(player, session, number) for number in range(1, 40)]
    counts = player.counts()
    assert counts["runs"] <= 10
    assert counts["samplers"] <= 10
    assert counts["lanes"] <= 20
    known = player.server.mock.state.runs
    assert saved in known
    assert made[-1] in known
    assert made[1] not in known
    assert api.post("get_info", {"model_id": made[1]}).status_code == 404


def _used_up(player: Player, session: str, number: int) -> str:
    api = player.api
    model = api.model(session, number)
    player.samples(api.sampler(session, number), 1)
    api.done("unload_model", {"model_id": model})
    return model


@pytest.mark.tinker_mock(clock="manual", max_models=3)
def test_models_that_are_in_use_are_never_forgotten(player: Player) -> None:
    api = player.api
    session = api.session()
    models = [api.model(session, number) for number in range(3)]
    body = {"session_id": session, "base_model": "Qwen/Qwen3-8B", "model_seq_id": 3}
    refused = api.post("create_model", {**body, "lora_config": {"rank": 8}})
    assert refused.status_code == 403
    assert "--max-models" in refused.text
    assert "metrics" in api.done("forward_backward", training_step(models[0], 1))


@pytest.mark.tinker_mock(max_models=5)
def test_samplers_without_a_number_never_share_one(player: Player) -> None:
    api = player.api
    session = api.session()
    model = api.model(session)
    names = set()
    for seq in range(1, 40):
        body = {"model_id": model, "seq_id": seq}
        names.add(api.done("save_weights_for_sampler", body)["sampling_session_id"])
    assert len(names) == 39
    assert player.counts()["samplers"] <= 5
