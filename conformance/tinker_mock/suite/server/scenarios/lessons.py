"""What training is for: data that came later, the end of an answer, and a model kept and asked."""

import math

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.verdict import Inapplicable, expect, expect_equal
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.bench import Trainee
from tinker_mock.suite.server.scenario import scenario

RATE = 0.01
STEPS = 8
QUESTION = (31, 32, 33)


def learn(model: Trainee, *tokens: int) -> float:
    """How much likelier the last token became by one step on it alone."""
    weights = bodies.tensor([0.0] * (len(tokens) - 2) + [1.0])
    data = [bodies.datum(*tokens, weights=weights)]
    before = float(model.look(data)[-1])
    model.gather(data)
    model.step(RATE)
    return float(model.look(data)[-1]) - before


@scenario("training/lessons")
def lessons(context: ScenarioContext) -> None:
    """Lessons one after another, and where an answer ends."""
    session = context.session()
    model = Trainee(context, context.model(session))
    with context.check("training/learning/one-after-another"):
        for token in range(40, 47):
            gained = learn(model, 11, token)
            expect(gained > 0, "each step makes its own target likelier", "> 0", (token, gained))
    end = end_token(context, session)
    number = context.next_sampler(session)
    with context.check("training/learning/end"):
        gained = sum(learn(model, *QUESTION, end) for _ in range(STEPS))
        expect(gained > 0, "steps make the end token likelier", "> 0", gained)
        told = float(model.look([bodies.datum(*QUESTION, end)])[-1])
        expect(told <= 1e-6, "a log-probability is at most 0, of the end token too", "<= 0", told)
        if told < math.log(0.6):
            raise Inapplicable("the end was not learnt in so few steps")
        body = bodies.save_sampler(
            model.model, context.number(model.model), sampling_session_seq_id=number
        )
        saved = context.submit("save_weights_for_sampler", body).result()
        (said,) = asked(context, str(saved.at("/sampling_session_id")))
        found = (said["tokens"], said["stop_reason"])
        expect_equal(found, ([end], "stop"), "the answer ends where it was taught to")
    named(context, session, model)


def asked(context: ScenarioContext, sampler: str) -> list[dict[str, object]]:
    """The greedy answer to the question."""
    fields = {"prompt": bodies.text(*QUESTION), "max_tokens": 8, "temperature": 0.0, "stop": None}
    found: list[dict[str, object]] = (
        context.submit("asample", bodies.sample(sampler, 1, **fields)).result().at("/sequences")
    )
    return found


def end_token(context: ScenarioContext, session: str) -> int:
    """A token that ends answers; Inapplicable where none is seen."""
    fields = {"num_samples": 16, "max_tokens": 600, "stop": None, "seed": 4}
    body = bodies.sample(context.sampler(session), 1, **fields)
    for one in context.submit("asample", body).result().at("/sequences"):
        if one["stop_reason"] == "stop":
            return int(one["tokens"][-1])
    raise Inapplicable("no sample ends by itself")


def named(context: ScenarioContext, session: str, model: Trainee) -> None:
    """A checkpoint that is sampled with its base model's name beside its path."""
    body = bodies.save_sampler(model.model, context.number(model.model), path="lesson")
    path = str(context.submit("save_weights_for_sampler", body).result().at("/path"))
    context.delete_checkpoint_later(path)
    with context.check("sampling/session/both"):
        body = {
            "session_id": session,
            "sampling_session_seq_id": context.next_sampler(session),
            "base_model": context.named_model(),
            "model_path": path,
            "type": "create_sampling_session",
        }
        made = context.client.call("create_sampling_session", body).require()
        both = asked(context, str(made.at("/sampling_session_id")))
        expect_equal(both, asked(context, context.sampler(session, path)), "as by the path alone")
    with context.check("sampling/session/number-used"):
        number = context.next_sampler(session)
        own = {"base_model": context.named_model(), "sampling_session_seq_id": number}
        told = {"session_id": session, "type": "create_sampling_session"}
        first = context.client.call("create_sampling_session", {**told, **own}).require()
        again = {**told, "sampling_session_seq_id": number, "model_path": path}
        made = context.client.call("create_sampling_session", again, wrong=True)
        if made.status < 300:
            fine = made.at("/sampling_session_id") != first.at("/sampling_session_id")
            expect(
                fine, "another request under its number is no sampler of the first", "refused", ""
            )
