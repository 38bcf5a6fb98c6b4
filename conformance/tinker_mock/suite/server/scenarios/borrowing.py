"""A checkpoint in a stranger's hands: loaded, trained on and sampled, or kept from all that."""

from dataclasses import replace

from tinker_mock.suite.core.context import ScenarioContext, place
from tinker_mock.suite.core.promises import Outcome
from tinker_mock.suite.core.verdict import Inapplicable, expect
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.bench import SIGNS, TEXT, Bench, Floats, Trainee
from tinker_mock.suite.server.scenario import scenario

HIDDEN = (403, 404)


class Stranger:
    """Another tenant, with a session of its own."""

    def __init__(self, context: ScenarioContext) -> None:
        if not context.target.other_key:
            raise Inapplicable("no second tenant's key was given (--other-key)")
        target = replace(context.target, key=context.target.other_key)
        self.context = ScenarioContext(target, context.client.routes, {}, context.scenario)
        context.later(self.context.finish)
        self.context.base_model = context.named_model()
        self.session = self.context.session()

    def loaded(self, path: str, **fields: str) -> tuple[Trainee, Outcome]:
        """A fresh model of the stranger's, and what came of loading a checkpoint into it."""
        model = Trainee(self.context, self.context.model(self.session))
        number = self.context.number(model.model)
        body = {**bodies.load(model.model, number, path), **fields}
        return model, self.context.submit("load_weights", body, wrong=True).outcome()

    def created(self, path: str) -> Outcome:
        """What came of making a model of a checkpoint."""
        body = {
            "session_id": self.session,
            "model_seq_id": self.context.next_model(self.session),
            "path": path,
            "optimizer": False,
            "type": "load_weights",
        }
        return self.context.submit("load_weights", body, wrong=True).outcome()

    def sampled(self, path: str) -> list[object]:
        """What is sampled from a checkpoint; empty where that is refused."""
        body = {
            "session_id": self.session,
            "sampling_session_seq_id": self.context.next_sampler(self.session),
            "model_path": path,
            "type": "create_sampling_session",
        }
        reply = self.context.client.call("create_sampling_session", body, wrong=True)
        if reply.status >= 400:
            return []
        asked = bodies.sample(str(reply.at("/sampling_session_id")), 1)
        drawn = self.context.submit("asample", asked).outcome()
        return [] if drawn.failed else list(drawn.at("/sequences"))


@scenario("auth/borrowing")
def borrowing(context: ScenarioContext) -> None:
    """Private, opened by a credential of its owner, and published."""
    bench, stranger = Bench(context), Stranger(context)
    model = bench.fresh()
    model.gather([bodies.datum(*TEXT)])
    model.step(bench.signs, **SIGNS)
    then = model.look()
    number = context.number(model.model)
    saved = context.submit("save_weights", bodies.save(model.model, number, "lent")).result()
    body = bodies.save_sampler(model.model, context.number(model.model), path="lent")
    drawn = context.submit("save_weights_for_sampler", body).result()
    state, sampler = str(saved.at("/path")), str(drawn.at("/path"))
    for path in (state, sampler):
        context.delete_checkpoint_later(path)
    with context.check("auth/isolation/checkpoint-loaded"):
        _, tried = stranger.loaded(state)
        expect(tried.failed, "a stranger does not load it into a model", "refused", tried.value)
    if context.applies("auth/isolation/checkpoint-resumed"):
        with context.check("auth/isolation/checkpoint-resumed"):
            tried = stranger.created(state)
            expect(tried.failed, "nor makes a model of it", "refused", tried.value)
    with context.check("auth/isolation/checkpoint-sampled"):
        expect(not stranger.sampled(sampler), "nor samples from it", "refused", "a sample")
    if context.applies("weights/load/access-token"):
        tokens(context, stranger, bench, state, then)
    with context.check("checkpoints/publish/stranger-uses"):
        for path in (state, sampler):
            context.client.call("publish_checkpoint", path=place(path)).require()
        own, tried = stranger.loaded(state)
        expect(not tried.failed, "a published checkpoint is loaded by others", "loaded", "")
        bench.same(own.look(), then, "with the weights that were saved")
        expect(stranger.sampled(sampler), "and sampled by others", "a sample", "refused")


def tokens(
    context: ScenarioContext, stranger: Stranger, bench: Bench, path: str, then: Floats
) -> None:
    """Loading somebody's checkpoint with a credential of theirs, and with another."""
    with context.check("weights/load/token-of-another"):
        _, tried = stranger.loaded(path, weights_access_token=context.target.other_key)
        expect(tried.failed, "another account's credential does not open it", "refused", "loaded")
    with context.check("weights/load/access-token"):
        model, tried = stranger.loaded(path, weights_access_token=context.target.key)
        expect(not tried.failed, "a credential of its owner opens it", "loaded", tried.error)
        bench.same(model.look(), then, "the weights that were saved")
