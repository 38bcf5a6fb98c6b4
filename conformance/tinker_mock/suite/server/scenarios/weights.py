"""Saving, loading, describing and copying weights."""

from collections.abc import Sequence
from typing import Any

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.http import Reply
from tinker_mock.suite.core.promises import Outcome
from tinker_mock.suite.core.verdict import expect, expect_equal
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.bench import usable
from tinker_mock.suite.server.scenario import scenario

SMALL = 1e-4
"""A rate at which nothing is learnt so well that no difference is left."""


def train_once(
    context: ScenarioContext, model: str, rate: float = 0.004, data: Sequence[Any] | None = None
) -> None:
    """One forward_backward and one optim_step."""
    work = bodies.train(model, context.number(model), data)
    context.submit("forward_backward", work).result()
    context.submit("optim_step", bodies.optim(model, context.number(model), rate)).result()


def train_on(context: ScenarioContext, model: str) -> None:
    """A step by smaller gradients: what earlier ones left in the moments shows in it."""
    train_once(context, model, SMALL, [bodies.datum(weight=0.25)])


def look(context: ScenarioContext, model: str) -> list[float]:
    """The model's view of one datum."""
    seen = context.submit("forward", bodies.forward(model, context.number(model)))
    return bodies.logprobs(seen.result())


def keep(
    context: ScenarioContext, model: str, name: str, wrong: bool = False, **fields: Any
) -> Outcome:
    """save_weights; the checkpoint is deleted at the end."""
    body = bodies.save(model, context.number(model), name, **fields)
    outcome = context.submit("save_weights", body, wrong=wrong).outcome()
    if not outcome.failed and outcome.value.get("path"):
        context.delete_checkpoint_later(str(outcome.value["path"]))
    return outcome


@scenario("weights/saving")
def saving(context: ScenarioContext) -> None:
    """Weights get a path that clients use word for word."""
    session = context.session()
    model = context.model(session)
    train_once(context, model)
    with context.check("weights/save/path"):
        path = keep(context, model, "first").at("/path")
        expect_equal(path, f"tinker://{model}/weights/first", "tinker://run/weights/name")
    if context.applies("weights/save/again"):
        with context.check("weights/save/again"):
            outcome = keep(context, model, "first", overwrite=True)
            expect_equal(outcome.at("/path"), f"tinker://{model}/weights/first", "saved again")
        with context.check("weights/save/overwrite"):
            fresh = keep(context, model, "second", overwrite=False)
            expect(not fresh.failed, "accepted", "a path")
    with context.check("weights/save/unnamed"):
        unnamed = context.submit("save_weights", bodies.save(model, context.number(model))).result()
        path = str(unnamed.at("/path"))
        context.delete_checkpoint_later(path)
        expect(path.startswith(f"tinker://{model}/weights/"), "a name is made up", "path", path)
    with context.check("weights/save/ttl"):
        keep(context, model, "brief", ttl_seconds=86_400).at("/path")
    if context.applies("weights/save/metadata"):
        with context.check("weights/save/metadata"):
            keep(context, model, "tagged", user_metadata={"step": "8"}).at("/path")
    for_sampling(context, session, model)


def for_sampling(context: ScenarioContext, session: str, model: str) -> None:
    """save_weights_for_sampler, named and ephemeral."""
    with context.check("weights/sampler/path"):
        made = context.submit(
            "save_weights_for_sampler", bodies.save_sampler(model, context.number(model), path="s")
        )
        path = made.result().at("/path")
        context.delete_checkpoint_later(str(path))
        expect_equal(path, f"tinker://{model}/sampler_weights/s", "tinker://run/sampler_weights/")
    counter = context.next_sampler(session)
    body = bodies.save_sampler(model, context.number(model), sampling_session_seq_id=counter)
    fresh = context.submit("save_weights_for_sampler", body).result()
    with context.check("weights/sampler/ephemeral"):
        expect(fresh.at("/sampling_session_id"), "a sampling session", "an id", fresh.value)
    with context.check("weights/sampler/ephemeral-no-path"):
        expect(fresh.value.get("path") is None, "no path", None, fresh.value)
    if context.applies("weights/sampler/kind"):
        with context.check("weights/sampler/kind"):
            counter = context.next_sampler(session)
            body = bodies.save_sampler(
                model, context.number(model), sampling_session_seq_id=counter, kind="inflight"
            )
            context.submit("save_weights_for_sampler", body).result()


@scenario("weights/loading")
def loading(context: ScenarioContext) -> None:
    """A new model continues where a saved one was."""
    session = context.session()
    model = context.model(session)
    train_once(context, model, SMALL)
    path = str(keep(context, model, "resume").at("/path"))
    saved = look(context, model)
    train_on(context, model)
    went_on = look(context, model)
    fresh = look(context, context.model(session))
    if fresh == saved:
        usable(context, context.model(session))
    copies = {flag: context.model(session) for flag in (True, False)}
    for flag, copy in copies.items():
        context.submit(
            "load_weights", bodies.load(copy, context.number(copy), path, optimizer=flag)
        ).result()
    with context.check("weights/load/restores"):
        expect(look(context, copies[True]) != fresh, "not a new model", "loaded")
        bare = look(context, copies[False])
        context.alike(look(context, copies[True]), bare, "equal weights")
        context.alike(look(context, copies[True]), saved, "those that were saved")
    with context.check("weights/load/next-seq-id"):
        train_on(context, copies[True])
    with context.check("weights/load/with-optimizer"):
        seen = look(context, copies[True])
        context.alike(seen, went_on, "the next step is the same")
    with context.check("weights/load/without-optimizer"):
        train_on(context, copies[False])
        expect(look(context, copies[False]) != went_on, "moments start anew", "other numbers")
    if context.applies("weights/load/by-session"):
        by_session(context, session, path, saved)


def by_session(context: ScenarioContext, session: str, path: str, saved: list[float]) -> None:
    """load_weights as creation, as releases from 0.38 do it."""
    number = context.next_model(session)
    body = {
        "session_id": session, "model_seq_id": number, "path": path, "optimizer": True,
        "type": "load_weights",
    }  # fmt: skip
    promised = context.submit("load_weights", body)
    with context.check("weights/load/by-session"):
        promised.result()
    with context.check("weights/load/by-session-id"):
        made = promised.result().at("/model_id")
        expect_equal(made, f"{session}:train:{number}", "the id that the client computes")
    with context.check("weights/load/by-session-restores"):
        body = {"model_id": f"{session}:train:{number}", "type": "get_info"}
        context.client.call("get_info", body).require()
        seen = look(context, f"{session}:train:{number}")
        context.alike(seen, saved, "the weights that were saved")


@scenario("weights/refusals")
def refusals(context: ScenarioContext) -> None:
    """Paths that lead nowhere."""
    session = context.session()
    model = context.model(session)
    nowhere = f"tinker://{model}/weights/never-saved"
    outcome = context.submit("load_weights", bodies.load(model, 1, nowhere)).outcome()
    with context.check("weights/load/unknown-path"):
        expect(outcome.failed, "an unknown path is refused", "an error", outcome.value)
        expect("never-saved" in outcome.error, "it is named", "never-saved", outcome.error)
    with context.check("weights/load/unknown-path-final"):
        status = outcome.reply.status
        final = status < 500 and status not in (402, 408, 409, 410, 429)
        expect(final, "the refusal is final", "4xx, or 200 with error", status)
    with context.check("weights/info/unknown"):
        reply = context.client.call("get_weights_info", {"tinker_path": nowhere})
        final = 400 <= reply.status < 500 and reply.status not in (408, 409, 429)
        expect(final, "refused for good", "a 4xx that no client repeats", reply.status)
    other = context.model(session)
    made = context.submit(
        "save_weights_for_sampler", bodies.save_sampler(other, context.number(other), path="only")
    )
    path = str(made.result().at("/path"))
    context.delete_checkpoint_later(path)
    with context.check("weights/load/sampler-weights"):
        third = context.model(session)
        tried = context.submit(
            "load_weights", bodies.load(third, 1, path, optimizer=True)
        ).outcome()
        expect(tried.failed, "sampler weights have no optimizer state", "an error", tried.value)
    with context.check("weights/save/short-ttl"):
        short = keep(context, other, "short", wrong=True, ttl_seconds=5)
        expect(short.failed, "less than an hour is refused", "an error", short.value)
    refused_names(context, session)


def refused_names(context: ScenarioContext, session: str) -> None:
    """Names that would leave their folder, and loading in the middle of training."""
    with context.check("weights/save/bad-name"):
        for name in ("../up", "a/b"):
            model = context.model(session)
            body = {**bodies.save(model, 1), "path": name}
            tried = context.submit("save_weights", body, wrong=True).outcome()
            expect(tried.failed, f"the name {name!r} is refused", "an error", tried.value)
    with context.check("weights/load/only-first"):
        model = context.model(session)
        path = str(keep(context, model, "early").at("/path"))
        tried = context.submit("load_weights", bodies.load(model, 2, path)).outcome()
        expect(tried.failed, "loading is a model's first request or none", "an error", tried.value)


def describe(context: ScenarioContext, path: str) -> Reply:
    """What weights_info says."""
    return context.client.call("get_weights_info", {"tinker_path": path})


@scenario("weights/describing")
def describing(context: ScenarioContext) -> None:
    """What a checkpoint holds, copies of it, and its export."""
    session = context.session()
    model = context.model(session)
    path = str(keep(context, model, "described").at("/path"))
    with context.check("weights/info/base"):
        found = describe(context, path).require().at("/base_model")
        expect_equal(found, context.named_model(), "its base model")
    with context.check("weights/info/lora"):
        info = describe(context, path).require()
        expect_equal((info.at("/is_lora"), info.at("/lora_rank")), (True, 8), "its rank")
    with context.check("weights/info/parts"):
        parts = {"rank": 4, "seed": 1, "train_mlp": False, "train_attn": True}
        other = context.model(session, lora_config=parts)
        said = describe(context, str(keep(context, other, "parts").at("/path"))).require().json()
        true = {"lora_rank": 4, "train_mlp": False, "train_attn": True}
        told = {name: said[name] for name in true if said.get(name) is not None}
        expect_equal({**true, **told}, true, "rank and parts as the model was created")
        expect("lora_rank" in told, "its rank", 4, said)
    with context.check("weights/info/optimizer"):
        config = describe(context, path).require().json().get("optimizer_config", {"type": "adamw"})
        expect(isinstance(config, dict) and config.get("type"), "an object", "type", config)
    if context.applies("weights/copy/new-path"):
        with context.check("weights/copy/new-path"):
            asked = {"source_path": path, "destination_project_id": "conformance"}
            copied = str(context.client.call("copy_weights", asked).require().at("/tinker_path"))
            context.delete_checkpoint_later(copied)
            expect(
                copied.startswith("tinker://") and copied != path, "a new path", "tinker://", copied
            )
    if not context.applies("weights/external/path"):
        return
    body: dict[str, Any] = {
        "model_id": model,
        "path": "out",
        "seq_id": 2,
        "type": "save_weights_external",
    }
    exported = context.submit("save_weights_external", body)
    with context.check("weights/external/path"):
        made = exported.result().at("/path")
        context.delete_checkpoint_later(str(made))
        expect_equal(
            made, f"tinker://{model}/external_weights/out", "tinker://run/external_weights/"
        )
    where = {"run_id": model, "name": "out"}
    listed = context.client.call("get_external_weights_urls", path=where)
    with context.check("weights/external/urls"):
        expect(listed.require().at("/urls"), "a url for each file", "name: url", listed.text)
    with context.check("weights/external/download"):
        for url in listed.require().at("/urls").values():
            expect(context.fetch(str(url)), "each url gives bytes", "a file", url)
