"""Models: created in a session, described, unloaded."""

from typing import Any

from tinker_mock.suite.core import bodies
from tinker_mock.suite.core.context import Stage
from tinker_mock.suite.core.http import Reply
from tinker_mock.suite.core.scenario import scenario
from tinker_mock.suite.core.verdict import expect, expect_equal


def info(stage: Stage, model: str) -> Reply:
    """What get_info says."""
    return stage.hands.call("get_info", {"model_id": model, "type": "get_info"})


@scenario(
    "models/creation",
    "models/create/promise",
    "models/create/model-id",
    "models/create/id-form",
    "models/create/no-slash",
    "models/create/second-model",
    "models/info/model-id",
    "models/info/model-name",
    "models/info/tokenizer",
    "models/info/lora",
    "models/info/optimizer",
    "models/info/repeatable",
)
def creation(stage: Stage) -> None:
    """A model is created and described."""
    session = stage.session()
    created = stage.create_model(session, lora_config={"rank": 4, "seed": 3})
    with stage.check("models/create/promise"):
        created.reply.require(200, 201, 202)
        expect(isinstance(created.reply.at("/request_id"), str), "a request id", "string")
    result = created.result()
    with stage.check("models/create/model-id"):
        expect(isinstance(result.at("/model_id"), str), "a model id", "string", result.value)
    model = str(result.at("/model_id"))
    with stage.check("models/create/id-form"):
        expect_equal(model, f"{session}:train:0", "the id is session:train:model_seq_id")
    with stage.check("models/create/no-slash"):
        expect("/" not in model, "the id fits into a tinker:// path", "no /", model)
    with stage.check("models/create/second-model"):
        second = stage.model(session)
        expect(second != model, "another model_seq_id is another model", "two ids", second)
    described(stage, model)


def described(stage: Stage, model: str) -> None:
    """Checks of get_info."""
    reply = info(stage, model)
    with stage.check("models/info/model-id"):
        expect_equal(reply.require(200).at("/model_id"), model, "the model's own id")
    with stage.check("models/info/model-name"):
        expect(reply.require(200).at("/model_data/model_name"), "a model name", "string")
    with stage.check("models/info/tokenizer"):
        tokenizer = reply.require(200).at("/model_data/tokenizer_id")
        expect(isinstance(tokenizer, str) and tokenizer, "a tokenizer id", "string", tokenizer)
    with stage.check("models/info/lora"):
        found = (reply.require(200).at("/is_lora"), reply.at("/lora_rank"))
        expect_equal(found, (True, 4), "is_lora and lora_rank as created")
    with stage.check("models/info/optimizer"):
        config = reply.require(200).json().get("optimizer_config", {"type": "adamw"})
        expect(isinstance(config, dict) and config.get("type"), "an object", "type", config)
    with stage.check("models/info/repeatable"):
        expect_equal(info(stage, model).require(200).json(), reply.json(), "the same answer")


@scenario(
    "models/variants",
    "models/create/metadata",
    "models/create/lora-parts",
    "models/create/optimizer-config",
    "models/create/no-lora-seed",
    "models/create/same-seed",
)
def variants(stage: Stage) -> None:
    """What creation can be told."""
    session = stage.session()
    with stage.check("models/create/metadata"):
        stage.model(session, user_metadata={"name": "x"})
    with stage.check("models/create/lora-parts"):
        parts = {"rank": 8, "train_unembed": False, "train_mlp": True, "train_attn": True}
        stage.model(session, lora_config=parts)
    if stage.applies("models/create/optimizer-config"):
        with stage.check("models/create/optimizer-config"):
            stage.model(session, optimizer_config={"type": "adamw"})
    with stage.check("models/create/no-lora-seed"):
        stage.model(session, lora_config={"rank": 8})
    with stage.check("models/create/same-seed"):
        first = stage.model(session, lora_config={"rank": 8, "seed": 5})
        second = stage.model(session, lora_config={"rank": 8, "seed": 5})
        runs = [stage.submit("forward", bodies.forward(one, 1)).result() for one in (first, second)]
        expect_equal(
            bodies.logprobs(runs[0]), bodies.logprobs(runs[1]), "equal seeds, equal models"
        )


def refused(stage: Stage, session: str, **fields: Any) -> tuple[bool, str, int]:
    """Whether creation fails, what is said, and the status of the decisive answer."""
    outcome = stage.create_model(session, wrong=True, **fields).outcome()
    return outcome.failed, outcome.error, outcome.reply.status


@scenario(
    "models/refusals",
    "models/create/unknown-base",
    "models/create/unknown-base-named",
    "models/create/bad-rank",
    "models/create/unknown-session",
    "models/create/never-5xx",
    "models/info/unknown",
)
def refusals(stage: Stage) -> None:
    """Models that cannot be."""
    session = stage.session()
    failed, text, status = refused(stage, session, base_model="nobody/no-such-model")
    statuses = {status}
    with stage.check("models/create/unknown-base"):
        expect(failed, "an unknown base model is refused", "an error", text)
    with stage.check("models/create/unknown-base-named"):
        expect("no-such-model" in text, "the message names the model", "no-such-model", text)
    with stage.check("models/create/bad-rank"):
        for rank in (0, -4):
            failed, text, status = refused(stage, session, lora_config={"rank": rank})
            statuses.add(status)
            expect(failed, f"rank {rank} is refused", "an error", text)
    with stage.check("models/create/unknown-session"):
        failed, text, status = refused(stage, "no-such-session")
        statuses.add(status)
        expect(failed, "an unknown session is refused", "an error", text)
    with stage.check("models/create/never-5xx"):
        retried = sorted(code for code in statuses if code >= 500 or code in (408, 429))
        expect(not retried, "refusals are final", "4xx, or 200 with error", retried)
    with stage.check("models/info/unknown"):
        info(stage, "no-such-model").require(400, 404)


@scenario("models/unloading", "models/unload/promise", "models/unload/forgotten")
def unloading(stage: Stage) -> None:
    """Older clients can unload a model."""
    model = stage.model()
    with stage.check("models/unload/promise"):
        body = {"model_id": model, "type": "unload_model"}
        stage.submit("unload_model", body).result()
    with stage.check("models/unload/forgotten"):
        outcome = stage.submit("forward", bodies.forward(model, 1)).outcome()
        expect(outcome.failed, "an unloaded model does no work", "an error", outcome.value)
