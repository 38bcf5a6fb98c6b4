"""Training runs, as listings show them."""

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.verdict import MOMENT, Lacking, expect, expect_equal
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.paging import listed, two_pages
from tinker_mock.suite.server.scenario import scenario
from tinker_mock.suite.server.scenarios.checkpoints import moment_of


@scenario("runs/reading")
def reading(context: ScenarioContext) -> None:
    """A model's run is on record."""
    model = context.model(user_metadata={"lot": "7"})
    where = {"run_id": model}
    reply = context.client.call("get_training_run", path=where)
    with context.check("runs/get/id"):
        expect_equal(reply.require().at("/training_run_id"), model, "the model's id")
    with context.check("runs/get/base-model"):
        expect_equal(reply.require().at("/base_model"), context.named_model(), "its base model")
    with context.check("runs/get/lora"):
        found = (reply.require().at("/is_lora"), reply.at("/lora_rank"))
        expect_equal(found, (True, 8), "its adapter")
    with context.check("runs/get/owner"):
        expect(reply.require().at("/model_owner"), "an owner", "a name")
    with context.check("runs/get/sound"):
        expect(not reply.require().json().get("corrupted"), "not corrupted", False, reply.text)
    with context.check("runs/get/last-request"):
        moment = moment_of(reply.require().at("/last_request_time"))
        if moment.tzinfo is None:
            raise Lacking(MOMENT, "RFC 3339", reply.text, whole=True)
    with context.check("runs/get/last-request-moves"):
        context.submit("forward", bodies.forward(model, context.number(model))).result()
        again = context.client.call("get_training_run", path=where).require()
        later = moment_of(again.at("/last_request_time"))
        earlier = moment_of(reply.require().at("/last_request_time"))
        expect(later > earlier, "a request is later than the one before", earlier, later)
    with context.check("runs/get/metadata"):
        expect_equal(reply.require().at("/user_metadata"), {"lot": "7"}, "metadata is kept")
    with context.check("runs/get/scope"):
        query = {"access_scope": "owned"}
        owned = context.client.call("get_training_run", path=where, query=query).require()
        expect_equal(owned.at("/training_run_id"), model, "the same run")
    with context.check("runs/get/unknown"):
        context.client.call("get_training_run", path={"run_id": "no-such-run"}).require(404)
    last_checkpoints(context, model)
    listing(context, model)


def last_checkpoints(context: ScenarioContext, model: str) -> None:
    """The run shows the checkpoint that was saved last."""
    path = str(context.submit("save_weights", bodies.save(model, 2, "last")).result().at("/path"))
    context.delete_checkpoint_later(path)
    made = context.submit("save_weights_for_sampler", bodies.save_sampler(model, 3, path="last"))
    sampled = str(made.result().at("/path"))
    context.delete_checkpoint_later(sampled)
    reply = context.client.call("get_training_run", path={"run_id": model})
    with context.check("runs/get/last-checkpoint"):
        expect_equal(reply.require().at("/last_checkpoint/tinker_path"), path, "the last one")
    with context.check("runs/get/last-sampler-checkpoint"):
        found = reply.require().at("/last_sampler_checkpoint/tinker_path")
        expect_equal(found, sampled, "the last one")


def listing(context: ScenarioContext, model: str) -> None:
    """The list of runs, in pages."""
    reply = context.client.call("list_training_runs", query={"limit": "100", "offset": "0"})
    with context.check("runs/list/contains"):
        where = ("list_training_runs", "/training_runs")
        there = listed(context, *where, lambda one: one.get("training_run_id") == model)
        expect(there, "the run is listed", model, "on no page")
    with context.check("runs/list/cursor"):
        cursor = reply.require().at("/cursor")
        wanted = {"offset": 0, "limit": 100}
        expect_equal({name: cursor.get(name) for name in wanted}, wanted, "the page asked for")
        expect(type(cursor.get("total_count")) is int, "total_count", "an integer", cursor)
    context.model()
    with context.check("runs/list/limit"):
        one = context.client.call("list_training_runs", query={"limit": "1", "offset": "0"})
        expect_equal(len(one.require().at("/training_runs")), 1, "limit=1 gives one")
    with context.check("runs/list/pages"):
        where = ("list_training_runs", "/training_runs/0/training_run_id")
        first, second = two_pages(context, *where)
        expect(first != second, "offset moves on", "another run", first)
    with context.check("runs/list/scope"):
        where, scope = ("list_training_runs", "/training_runs"), {"access_scope": "owned"}
        there = listed(context, *where, lambda one: one.get("training_run_id") == model, **scope)
        expect(there, "listed as owned", model, "on no page")
