"""Models: created in a session, described, unloaded."""

from typing import Any

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.http import Reply
from tinker_mock.suite.core.verdict import expect, expect_equal
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.bench import usable
from tinker_mock.suite.server.scenario import scenario


def info(context: ScenarioContext, model: str) -> Reply:
    """What get_info says."""
    return context.client.call("get_info", {"model_id": model, "type": "get_info"})


@scenario("models/creation")
def creation(context: ScenarioContext) -> None:
    """A model is created and described."""
    session = context.session()
    created = context.create_model(session, lora_config={"rank": 4, "seed": 3})
    with context.check("models/create/promise"):
        created.reply.require(200, 201, 202)
        expect(isinstance(created.reply.at("/request_id"), str), "a request id", "string")
    result = created.result()
    with context.check("models/create/model-id"):
        expect(isinstance(result.at("/model_id"), str), "a model id", "string", result.value)
    model = str(result.at("/model_id"))
    with context.check("models/create/id-form"):
        expect_equal(model, f"{session}:train:0", "the id is session:train:model_seq_id")
    with context.check("models/create/no-slash"):
        expect("/" not in model, "the id fits into a tinker:// path", "no /", model)
    with context.check("models/create/second-model"):
        second = context.model(session)
        expect(second != model, "another model_seq_id is another model", "two ids", second)
    described(context, model)


def described(context: ScenarioContext, model: str) -> None:
    """Checks of get_info."""
    reply = info(context, model)
    with context.check("models/info/model-id"):
        expect_equal(reply.require(200).at("/model_id"), model, "the model's own id")
    with context.check("models/info/model-name"):
        expect(reply.require(200).at("/model_data/model_name"), "a model name", "string")
    with context.check("models/info/tokenizer"):
        tokenizer = reply.require(200).at("/model_data/tokenizer_id")
        expect(isinstance(tokenizer, str) and tokenizer, "a tokenizer id", "string", tokenizer)
    with context.check("models/info/lora"):
        found = (reply.require(200).at("/is_lora"), reply.at("/lora_rank"))
        expect_equal(found, (True, 4), "is_lora and lora_rank as created")
    with context.check("models/info/optimizer"):
        config = reply.require(200).json().get("optimizer_config", {"type": "adamw"})
        expect(isinstance(config, dict) and config.get("type"), "an object", "type", config)
    with context.check("models/info/repeatable"):
        expect_equal(info(context, model).require(200).json(), reply.json(), "the same answer")


@scenario("models/variants")
def variants(context: ScenarioContext) -> None:
    """What creation can be told."""
    session = context.session()
    with context.check("models/create/metadata"):
        named = context.model(session, user_metadata={"name": "x"})
        run = context.client.call("get_training_run", path={"run_id": named})
        told = run.json().get("user_metadata") if run.status == 200 else None
        expect(told in (None, {"name": "x"}), "its run has the metadata", {"name": "x"}, told)
    with context.check("models/create/lora-parts"):
        parts = {"rank": 8, "train_unembed": False, "train_mlp": True, "train_attn": True}
        usable(context, context.model(session, lora_config=parts))
    if context.applies("models/create/optimizer-config"):
        with context.check("models/create/optimizer-config"):
            told = {"type": "adamw"}
            reply = info(context, context.model(session, optimizer_config=told)).require(200)
            config = reply.json().get("optimizer_config") or told
            expect_equal(config.get("type"), "adamw", "the optimizer asked for")
    with context.check("models/create/no-lora-seed"):
        usable(context, context.model(session, lora_config={"rank": 8}))
    with context.check("models/create/same-seed"):
        first = context.model(session, lora_config={"rank": 8, "seed": 5})
        second = context.model(session, lora_config={"rank": 8, "seed": 5})
        runs = [
            context.submit("forward", bodies.forward(one, 1)).result() for one in (first, second)
        ]
        expect_equal(
            bodies.logprobs(runs[0]), bodies.logprobs(runs[1]), "equal seeds, equal models"
        )


def refused(context: ScenarioContext, session: str, **fields: Any) -> tuple[bool, str, int]:
    """Whether creation fails, what is said, and the status of the decisive answer."""
    outcome = context.create_model(session, wrong=True, **fields).outcome()
    return outcome.failed, outcome.error, outcome.reply.status


@scenario("models/refusals")
def refusals(context: ScenarioContext) -> None:
    """Models that cannot be."""
    session = context.session()
    failed, text, status = refused(context, session, base_model="nobody/no-such-model")
    statuses = {status}
    with context.check("models/create/unknown-base"):
        expect(failed, "an unknown base model is refused", "an error", text)
    with context.check("models/create/unknown-base-named"):
        expect("no-such-model" in text, "the message names the model", "no-such-model", text)
    with context.check("models/create/bad-rank"):
        for rank in (0, -4):
            failed, text, status = refused(context, session, lora_config={"rank": rank})
            statuses.add(status)
            expect(failed, f"rank {rank} is refused", "an error", text)
    with context.check("models/create/unknown-session"):
        failed, text, status = refused(context, "no-such-session")
        statuses.add(status)
        expect(failed, "an unknown session is refused", "an error", text)
    with context.check("models/create/never-5xx"):
        retried = sorted(code for code in statuses if code >= 500 or code in (408, 409, 429))
        expect(not retried, "refusals are final", "4xx, or 200 with error", retried)
    with context.check("models/info/unknown"):
        info(context, "no-such-model").require(400, 404)


@scenario("models/unloading")
def unloading(context: ScenarioContext) -> None:
    """Older clients can unload a model."""
    model = context.model()
    with context.check("models/unload/promise"):
        body = {"model_id": model, "type": "unload_model"}
        context.submit("unload_model", body).result()
    with context.check("models/unload/forgotten"):
        outcome = context.submit("forward", bodies.forward(model, 1)).outcome()
        expect(outcome.failed, "an unloaded model does no work", "an error", outcome.value)
