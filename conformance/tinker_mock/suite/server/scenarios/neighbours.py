"""What is done to one leaves its neighbours alone: checkpoints, promises, sessions."""

from typing import Any

from tinker_mock.suite.core.context import ScenarioContext, place
from tinker_mock.suite.core.verdict import Inapplicable, expect, expect_equal
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.scenario import scenario
from tinker_mock.suite.server.scenarios.usage import events, tokens

DAY = 86_400


class Shelf:
    """A model with checkpoints of one name, and a neighbour of the same session."""

    def __init__(self, context: ScenarioContext) -> None:
        self.context = context
        session = context.session()
        self.model, self.other = context.model(session), context.model(session)
        self.state = self.saved(self.model, "same")
        self.second = self.saved(self.model, "second")
        self.elsewhere = self.saved(self.other, "same")
        number = context.number(self.model)
        body = bodies.save_sampler(self.model, number, path="same")
        self.sampler = str(context.submit("save_weights_for_sampler", body).result().at("/path"))
        self.context.delete_checkpoint_later(self.sampler)

    def saved(self, model: str, name: str) -> str:
        """A checkpoint of a model."""
        body = bodies.save(model, self.context.number(model), name)
        path = str(self.context.submit("save_weights", body).result().at("/path"))
        self.context.delete_checkpoint_later(path)
        return path

    def listed(self) -> dict[str, dict[str, Any]]:
        """The model's checkpoints by path, in the order in which they are listed."""
        reply = self.context.client.call("list_run_checkpoints", path={"run_id": self.model})
        return {str(one["tinker_path"]): one for one in reply.require().at("/checkpoints")}


@scenario("checkpoints/neighbours")
def checkpoints(context: ScenarioContext) -> None:
    """Published, given a lifetime, copied and deleted: one checkpoint, and no other."""
    shelf, client = Shelf(context), context.client
    with context.check("checkpoints/list/own-run"):
        wanted = {shelf.state, shelf.second, shelf.sampler}
        expect_equal(set(shelf.listed()), wanted, "a run's checkpoints, and no others'")
    with context.check("checkpoints/list/newest-first"):
        expect_equal(next(iter(shelf.listed())), shelf.sampler, "the last one that was saved")
    with context.check("checkpoints/publish/others-stay"):
        client.call("publish_checkpoint", path=place(shelf.state)).require()
        public = {path for path, one in shelf.listed().items() if one.get("public")}
        expect_equal(public, {shelf.state}, "one is published")
    with context.check("checkpoints/ttl/others-stay"):
        client.call("set_checkpoint_ttl", {"ttl_seconds": DAY}, path=place(shelf.state)).require()
        ending = {path for path, one in shelf.listed().items() if one.get("expires_at")}
        expect_equal(ending, {shelf.state}, "one has a lifetime")
    copies(context, shelf)
    with context.check("weights/info/sampler"):
        info = client.call("get_weights_info", {"tinker_path": shelf.sampler}).require()
        expect_equal(info.at("/lora_rank"), 8, "sampler weights are described as others are")
    with context.check("checkpoints/delete/other-kinds-stay"):
        client.call("delete_checkpoint", path=place(shelf.state)).require()
        left = set(shelf.listed())
        expect_equal(left, {shelf.second, shelf.sampler}, "of one name the other kind stays")


def copies(context: ScenarioContext, shelf: Shelf) -> None:
    """A copy of what has a lifetime, with and without one of its own."""
    if not context.applies("weights/copy/own-lifetime"):
        return

    def ends(**fields: int) -> Any:
        body = {"source_path": shelf.state, "destination_project_id": "conformance", **fields}
        made = context.client.call("copy_weights", body).require().at("/tinker_path")
        context.delete_checkpoint_later(str(made))
        run = {"run_id": place(str(made))["run_id"]}
        rows = context.client.call("list_run_checkpoints", path=run).require().at("/checkpoints")
        return next(one for one in rows if one["tinker_path"] == made).get("expires_at")

    with context.check("weights/copy/own-lifetime"):
        expect_equal(ends(), None, "a copy does not end with its source")
        expect(ends(ttl_seconds=2 * DAY), "ttl_seconds is its own", "expires_at", None)


@scenario("futures/neighbours")
def promises(context: ScenarioContext) -> None:
    """One promise cancelled, by its owner or a stranger; a failed one asked for again."""
    model = context.model()
    with context.check("futures/repeat/failed"):
        body = bodies.train(model, 1, loss_fn="importance_sampling")
        first = context.submit("forward_backward", body, wrong=True)
        if not first.outcome().failed or first.reply.status >= 400:
            raise Inapplicable("a pass without advantages is refused at once")
        again = context.submit("forward_backward", body, wrong=True)
        expect_equal(again.request_id, first.request_id, "the same promise, failed as it is")
    if not context.applies("futures/cancel/others-run"):
        return
    model = context.model()
    early = {n: context.submit("forward", bodies.forward(model, n)) for n in (2, 3, 4)}
    cancel = {"request_id": early[3].request_id}
    with context.check("auth/isolation/cancelled"):
        asked = {"request_id": early[2].request_id}
        context.other_tenant().call("cancel_future", asked).require(403, 404)
    with context.check("futures/cancel/others-run"):
        context.client.call("cancel_future", cancel).require()
        done = context.submit("forward", bodies.forward(model, 1))
        for one in (done, early[2], early[4]):
            one.result()
    with context.check("futures/cancel/done-stays"):
        context.client.call("cancel_future", {"request_id": done.request_id})
        done.result()


@scenario("billing/neighbours")
def sessions(context: ScenarioContext) -> None:
    """What one session uses is not another's."""
    session = context.session()
    model = context.model(session)
    later = context.session()
    context.model(later)
    data = [bodies.datum(*range(20, 52))]
    context.submit("forward_backward", bodies.train(model, 1, data)).result()
    with context.check("billing/usage/own-session"):
        found = [tokens(events(context.client, one), "training") for one in (session, later)]
        expect_equal(found, [31, 0], "it shows where it was used, not where a later session is")
