"""Saving, loading, describing and copying weights."""

from typing import Any

from tinker_mock.suite.core import bodies
from tinker_mock.suite.core.context import Stage
from tinker_mock.suite.core.http import Reply
from tinker_mock.suite.core.promises import Outcome
from tinker_mock.suite.core.scenario import scenario
from tinker_mock.suite.core.verdict import expect, expect_equal

OVERWRITE = 20
"""The release that brought overwrite."""


def train_once(stage: Stage, model: str, rate: float = 0.004) -> None:
    """One forward_backward and one optim_step."""
    stage.submit("forward_backward", bodies.train(model, stage.number(model))).result()
    stage.submit("optim_step", bodies.optim(model, stage.number(model), rate)).result()


def look(stage: Stage, model: str) -> list[float]:
    """The model's view of one datum."""
    seen = stage.submit("forward", bodies.forward(model, stage.number(model)))
    return bodies.logprobs(seen.result())


def keep(stage: Stage, model: str, name: str, wrong: bool = False, **fields: Any) -> Outcome:
    """save_weights; the checkpoint is deleted at the end."""
    body = bodies.save(model, stage.number(model), name, **fields)
    outcome = stage.submit("save_weights", body, wrong=wrong).outcome()
    if not outcome.failed and outcome.value.get("path"):
        stage.delete_checkpoint_later(str(outcome.value["path"]))
    return outcome


@scenario(
    "weights/saving",
    "weights/save/path",
    "weights/save/unnamed",
    "weights/save/again",
    "weights/save/overwrite",
    "weights/save/ttl",
    "weights/save/metadata",
    "weights/sampler/path",
    "weights/sampler/ephemeral",
    "weights/sampler/ephemeral-no-path",
    "weights/sampler/kind",
)
def saving(stage: Stage) -> None:
    """Weights get a path that clients use word for word."""
    session = stage.session()
    model = stage.model(session)
    train_once(stage, model)
    overwrite = {"overwrite": True} if stage.target.minor >= OVERWRITE else {}
    with stage.check("weights/save/path"):
        path = keep(stage, model, "first").at("/path")
        expect_equal(path, f"tinker://{model}/weights/first", "tinker://run/weights/name")
    with stage.check("weights/save/again"):
        outcome = keep(stage, model, "first", **overwrite)
        expect_equal(outcome.at("/path"), f"tinker://{model}/weights/first", "saved again")
    with stage.check("weights/save/overwrite"):
        expect(
            not keep(stage, model, "second", **dict.fromkeys(overwrite, False)).failed,
            "accepted",
            "a path",
        )
    with stage.check("weights/save/unnamed"):
        unnamed = stage.submit("save_weights", bodies.save(model, stage.number(model))).result()
        path = str(unnamed.at("/path"))
        stage.delete_checkpoint_later(path)
        expect(path.startswith(f"tinker://{model}/weights/"), "a name is made up", "path", path)
    with stage.check("weights/save/ttl"):
        keep(stage, model, "brief", ttl_seconds=86_400).at("/path")
    if stage.applies("weights/save/metadata"):
        with stage.check("weights/save/metadata"):
            keep(stage, model, "tagged", user_metadata={"step": "8"}).at("/path")
    for_sampling(stage, session, model)


def for_sampling(stage: Stage, session: str, model: str) -> None:
    """save_weights_for_sampler, named and ephemeral."""
    with stage.check("weights/sampler/path"):
        made = stage.submit(
            "save_weights_for_sampler", bodies.save_sampler(model, stage.number(model), path="s")
        )
        path = made.result().at("/path")
        stage.delete_checkpoint_later(str(path))
        expect_equal(path, f"tinker://{model}/sampler_weights/s", "tinker://run/sampler_weights/")
    counter = stage.next_sampler(session)
    body = bodies.save_sampler(model, stage.number(model), sampling_session_seq_id=counter)
    fresh = stage.submit("save_weights_for_sampler", body).result()
    with stage.check("weights/sampler/ephemeral"):
        expect(fresh.at("/sampling_session_id"), "a sampling session", "an id", fresh.value)
    with stage.check("weights/sampler/ephemeral-no-path"):
        expect(fresh.value.get("path") is None, "no path", None, fresh.value)
    if stage.applies("weights/sampler/kind"):
        with stage.check("weights/sampler/kind"):
            counter = stage.next_sampler(session)
            body = bodies.save_sampler(
                model, stage.number(model), sampling_session_seq_id=counter, kind="inflight"
            )
            stage.submit("save_weights_for_sampler", body).result()


@scenario(
    "weights/loading",
    "weights/load/restores",
    "weights/load/with-optimizer",
    "weights/load/without-optimizer",
    "weights/load/by-session",
    "weights/load/by-session-id",
    "weights/load/by-session-restores",
    "weights/load/next-seq-id",
)
def loading(stage: Stage) -> None:
    """A new model continues where a saved one was."""
    session = stage.session()
    model = stage.model(session)
    train_once(stage, model)
    path = str(keep(stage, model, "resume").at("/path"))
    train_once(stage, model, 0.002)
    went_on = look(stage, model)
    copies = {flag: stage.model(session) for flag in (True, False)}
    for flag, copy in copies.items():
        stage.submit(
            "load_weights", bodies.load(copy, stage.number(copy), path, optimizer=flag)
        ).result()
    with stage.check("weights/load/restores"):
        fresh = stage.model(session)
        expect(look(stage, copies[True]) != look(stage, fresh), "not a new model", "loaded")
        expect_equal(look(stage, copies[True]), look(stage, copies[False]), "equal weights")
    with stage.check("weights/load/next-seq-id"):
        train_once(stage, copies[True], 0.002)
    with stage.check("weights/load/with-optimizer"):
        expect_equal(look(stage, copies[True]), went_on, "the next step is the same")
    with stage.check("weights/load/without-optimizer"):
        train_once(stage, copies[False], 0.002)
        expect(look(stage, copies[False]) != went_on, "moments start anew", "other numbers")
    if stage.applies("weights/load/by-session"):
        by_session(stage, session, model, path)


def by_session(stage: Stage, session: str, model: str, path: str) -> None:
    """load_weights as creation, as releases from 0.38 do it."""
    number = stage.next_model(session)
    body = {
        "session_id": session, "model_seq_id": number, "path": path, "optimizer": True,
        "type": "load_weights",
    }  # fmt: skip
    promised = stage.submit("load_weights", body)
    with stage.check("weights/load/by-session"):
        promised.result()
    with stage.check("weights/load/by-session-id"):
        made = promised.result().at("/model_id")
        expect_equal(made, f"{session}:train:{number}", "the id that the client computes")
    with stage.check("weights/load/by-session-restores"):
        body = {"model_id": f"{session}:train:{number}", "type": "get_info"}
        stage.hands.call("get_info", body).require()
        look(stage, f"{session}:train:{number}")


@scenario(
    "weights/refusals",
    "weights/load/unknown-path",
    "weights/load/unknown-path-final",
    "weights/load/sampler-weights",
    "weights/load/only-first",
    "weights/save/bad-name",
    "weights/info/unknown",
    "weights/save/short-ttl",
)
def refusals(stage: Stage) -> None:
    """Paths that lead nowhere."""
    session = stage.session()
    model = stage.model(session)
    nowhere = f"tinker://{model}/weights/never-saved"
    outcome = stage.submit("load_weights", bodies.load(model, 1, nowhere)).outcome()
    with stage.check("weights/load/unknown-path"):
        expect(outcome.failed, "an unknown path is refused", "an error", outcome.value)
        expect("never-saved" in outcome.error, "it is named", "never-saved", outcome.error)
    with stage.check("weights/load/unknown-path-final"):
        status = outcome.reply.status
        final = status < 500 and status not in (402, 408, 409, 410, 429)
        expect(final, "the refusal is final", "4xx, or 200 with error", status)
    with stage.check("weights/info/unknown"):
        reply = stage.hands.call("get_weights_info", {"tinker_path": nowhere})
        reply.require(400, 404)
    other = stage.model(session)
    made = stage.submit(
        "save_weights_for_sampler", bodies.save_sampler(other, stage.number(other), path="only")
    )
    path = str(made.result().at("/path"))
    stage.delete_checkpoint_later(path)
    with stage.check("weights/load/sampler-weights"):
        third = stage.model(session)
        tried = stage.submit("load_weights", bodies.load(third, 1, path, optimizer=True)).outcome()
        expect(tried.failed, "sampler weights have no optimizer state", "an error", tried.value)
    with stage.check("weights/save/short-ttl"):
        short = keep(stage, other, "short", wrong=True, ttl_seconds=5)
        expect(short.failed, "less than an hour is refused", "an error", short.value)
    refused_names(stage, session)


def refused_names(stage: Stage, session: str) -> None:
    """Names that would leave their folder, and loading in the middle of training."""
    with stage.check("weights/save/bad-name"):
        for name in ("../up", "a/b"):
            model = stage.model(session)
            body = {**bodies.save(model, 1), "path": name}
            tried = stage.submit("save_weights", body, wrong=True).outcome()
            expect(tried.failed, f"the name {name!r} is refused", "an error", tried.value)
    with stage.check("weights/load/only-first"):
        model = stage.model(session)
        path = str(keep(stage, model, "early").at("/path"))
        tried = stage.submit("load_weights", bodies.load(model, 2, path)).outcome()
        expect(tried.failed, "loading is a model's first request or none", "an error", tried.value)


def describe(stage: Stage, path: str) -> Reply:
    """What weights_info says."""
    return stage.hands.call("get_weights_info", {"tinker_path": path})


@scenario(
    "weights/describing",
    "weights/info/base",
    "weights/info/lora",
    "weights/info/optimizer",
    "weights/copy/new-path",
    "weights/external/path",
    "weights/external/urls",
    "weights/external/download",
)
def describing(stage: Stage) -> None:
    """What a checkpoint holds, copies of it, and its export."""
    session = stage.session()
    model = stage.model(session)
    path = str(keep(stage, model, "described").at("/path"))
    with stage.check("weights/info/base"):
        found = describe(stage, path).require().at("/base_model")
        expect_equal(found, stage.named_model(), "its base model")
    with stage.check("weights/info/lora"):
        info = describe(stage, path).require()
        expect_equal((info.at("/is_lora"), info.at("/lora_rank")), (True, 8), "its rank")
    with stage.check("weights/info/optimizer"):
        config = describe(stage, path).require().json().get("optimizer_config", {"type": "adamw"})
        expect(isinstance(config, dict) and config.get("type"), "an object", "type", config)
    if stage.applies("weights/copy/new-path"):
        with stage.check("weights/copy/new-path"):
            asked = {"source_path": path, "destination_project_id": "conformance"}
            copied = str(stage.hands.call("copy_weights", asked).require().at("/tinker_path"))
            stage.delete_checkpoint_later(copied)
            expect(
                copied.startswith("tinker://") and copied != path, "a new path", "tinker://", copied
            )
    if not stage.applies("weights/external/path"):
        return
    body: dict[str, Any] = {
        "model_id": model,
        "path": "out",
        "seq_id": 2,
        "type": "save_weights_external",
    }
    exported = stage.submit("save_weights_external", body)
    with stage.check("weights/external/path"):
        made = exported.result().at("/path")
        stage.delete_checkpoint_later(str(made))
        expect_equal(
            made, f"tinker://{model}/external_weights/out", "tinker://run/external_weights/"
        )
    where = {"run_id": model, "name": "out"}
    listed = stage.hands.call("get_external_weights_urls", path=where)
    with stage.check("weights/external/urls"):
        expect(listed.require().at("/urls"), "a url for each file", "name: url", listed.text)
    with stage.check("weights/external/download"):
        for url in listed.require().at("/urls").values():
            expect(stage.fetch(str(url)), "each url gives bytes", "a file", url)
