"""Sampling: sessions, results, seeds, stops, log-probabilities."""

import math
from functools import partial
from typing import Any

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.promises import Outcome, Promised
from tinker_mock.suite.core.verdict import Inapplicable, expect, expect_equal
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.bodies import TOKENS, sample
from tinker_mock.suite.server.scenario import scenario


def draw(context: ScenarioContext, sampler: str, seq_id: int, **fields: Any) -> Outcome:
    """A sample that must succeed."""
    return context.submit("asample", sample(sampler, seq_id, **fields)).result()


def tokens(outcome: Outcome, index: int = 0) -> list[int]:
    """One sequence's tokens."""
    return [int(token) for token in outcome.at(f"/sequences/{index}/tokens")]


@scenario("sampling/session")
def sampling_session(context: ScenarioContext) -> None:
    """A sampling session for a base model."""
    session = context.session()
    first, second = context.sampler(session), context.sampler(session)
    with context.check("sampling/session/id"):
        expect(first, "an id", "a non-empty string", first)
    with context.check("sampling/session/unique"):
        expect(first != second, "each call makes a session", "two ids", first)
    with context.check("sampling/sampler/fields"):
        got = context.client.call("get_sampler", path={"sampler_id": first}).require()
        found = (got.at("/sampler_id"), got.at("/base_model"))
        expect_equal(found, (first, context.named_model()), "its id and base model")
    with context.check("sampling/sampler/unknown"):
        context.client.call("get_sampler", path={"sampler_id": "no-such-sampler"}).require(404)
    with context.check("sampling/join/counter"):
        body = {"sampling_session_id": first, "type": "join_sampling_session"}
        counts = [
            context.client.call("join_sampling_session", body).at("/client_counter") for _ in "12"
        ]
        expect(len(set(counts)) == 2 and min(counts) > 0, "each client its number", "> 0", counts)
    origins: dict[str, dict[str, Any]] = {
        "sampling/session/needs-origin": {},
        "sampling/session/unknown-base": {"base_model": "nobody/no-such-model"},
        "sampling/session/unknown-path": {"model_path": "tinker://nobody:train:0/weights/none"},
    }
    statuses = []
    for number, (check, origin) in enumerate(origins.items(), 50):
        asked = {"session_id": session, "sampling_session_seq_id": number, **origin}
        reply = context.client.call("create_sampling_session", asked, wrong=True)
        statuses.append(reply.status)
        with context.check(check):
            expect(400 <= reply.status < 500, "refused", "4xx", reply.status)
    with context.check("sampling/session/never-5xx"):
        retried = [code for code in statuses if code >= 500 or code in (408, 429)]
        expect(not retried, "refusals are final", "4xx", retried)


def steady(context: ScenarioContext, sampler: str, seq_id: int) -> list[int]:
    """The tokens of an ordinary sample; none where equal seeds draw unequally."""
    found = [tokens(draw(context, sampler, number)) for number in (seq_id, seq_id + 1)]
    return found[0] if found[0] == found[1] else []


@scenario("sampling/results")
def results(context: ScenarioContext) -> None:
    """Several samples of one prompt."""
    sampler = context.sampler()
    submitted = context.submit("asample", sample(sampler, num_samples=4, max_tokens=12))
    with context.check("sampling/submit/sequence-ids"):
        ids = submitted.reply.require().at("/sample_sequence_ids")
        expect_equal(len(ids), 4, "one sequence id for each sample")
    with context.check("sampling/submit/sequence-ids-unique"):
        expect_equal(len(set(submitted.reply.at("/sample_sequence_ids"))), 4, "all different")
        other = context.submit("asample", sample(sampler, 1, num_samples=4, max_tokens=12))
        both = {
            *submitted.reply.at("/sample_sequence_ids"),
            *other.reply.at("/sample_sequence_ids"),
        }
        expect_equal(len(both), 8, "those of another request too")
    result = submitted.result()
    with context.check("sampling/result/count"):
        expect_equal(len(result.at("/sequences")), 4, "num_samples sequences")
    sequences = result.at("/sequences")
    with context.check("sampling/result/tokens"):
        fine = all(isinstance(t, int) and t >= 0 for s in sequences for t in s["tokens"])
        expect(fine, "tokens are ids", "integers >= 0", sequences)
    with context.check("sampling/result/max-tokens"):
        lengths = [len(one["tokens"]) for one in sequences]
        expect(max(lengths) <= 12, "at most max_tokens", "<= 12", lengths)
    with context.check("sampling/result/stop-reason"):
        reasons = {one["stop_reason"] for one in sequences}
        expect(reasons <= {"stop", "length"}, "stop or length", "", reasons)
    with context.check("sampling/result/length-means-full"):
        cut = [len(one["tokens"]) for one in sequences if one["stop_reason"] == "length"]
        expect(all(count == 12 for count in cut), "length means max_tokens", 12, cut)
    with context.check("sampling/result/logprobs-length"):
        pairs = [(len(one["logprobs"] or ()), len(one["tokens"])) for one in sequences]
        expect(all(a == b for a, b in pairs), "one log-probability a token", "equal", pairs)
    with context.check("sampling/result/logprobs-range"):
        values = [value for one in sequences for value in one["logprobs"] or ()]
        fine = all(math.isfinite(value) and value <= 1e-6 for value in values)
        expect(fine, "finite and not above 0", "<= 0", values)
    with context.check("sampling/result/varied"):
        expect(len({tuple(one["tokens"]) for one in sequences}) > 1, "samples differ", "> 1")
    with context.check("sampling/result/no-type-error"):
        expect_equal(result.value.get("type", "sample"), "sample", "the result's type")


@scenario("sampling/repeatability")
def repeatability(context: ScenarioContext) -> None:
    """Seeds, greedy decoding and stops."""
    sampler = context.sampler()
    first = tokens(draw(context, sampler, 0, seed=11, max_tokens=10, stop=[]))
    with context.check("sampling/seed/same"):
        again = tokens(draw(context, sampler, 1, seed=11, max_tokens=10, stop=[]))
        expect_equal(again, first, "one seed, one sample")
    with context.check("sampling/seed/differs"):
        others = [tokens(draw(context, sampler, 2 + n, seed=n, max_tokens=10)) for n in range(4)]
        expect(len({tuple(one) for one in others}) > 1, "seeds differ", "different tokens", others)
    with context.check("sampling/seed/large"):
        seeds = (11, 11 + (1 << 16), 11 + (1 << 30))
        found = {
            tuple(tokens(draw(context, sampler, 60 + n, seed=seed, max_tokens=10, stop=[])))
            for n, seed in enumerate(seeds)
        }
        expect_equal(len(found), 3, "seeds have more than 16 bits, and more than 30")
    greedy = tokens(draw(context, sampler, 10, temperature=0.0, seed=1))
    with context.check("sampling/temperature/zero"):
        again = tokens(draw(context, sampler, 11, temperature=0.0, seed=2))
        expect_equal(again, greedy, "temperature 0 takes the likeliest token")
    with context.check("sampling/top-k/one"):
        expect_equal(
            tokens(draw(context, sampler, 12, top_k=1, seed=3)), greedy, "top_k 1: the same"
        )
    with context.check("sampling/top-p/tiny"):
        expect_equal(
            tokens(draw(context, sampler, 13, top_p=1e-6, seed=4)), greedy, "so does top_p"
        )
    stopping(context, sampler, first)


def stopping(context: ScenarioContext, sampler: str, free: list[int]) -> None:
    """The same sample with a stop token taken from it."""
    stop = free[len(free) // 2]
    stopped = draw(context, sampler, 20, seed=11, max_tokens=10, stop=[stop])
    with context.check("sampling/stop/token-included"):
        want = free[: free.index(stop) + 1]
        expect_equal(tokens(stopped), want, "the stop token is the last one")
    with context.check("sampling/stop/reason"):
        expect_equal(stopped.at("/sequences/0/stop_reason"), "stop", "stopped by it")
    with context.check("sampling/stop/none"):
        full = draw(context, sampler, 21, seed=5, max_tokens=40, stop=[])
        found = (len(tokens(full)), full.at("/sequences/0/stop_reason"))
        expect_equal(found, (40, "length"), "no stops at all: runs to max_tokens")
    with context.check("sampling/stop/null"):
        null, bare = sample(sampler, 22, max_tokens=600, stop=None), sample(sampler, 23)
        bare["sampling_params"]["max_tokens"] = 600
        lengths = [len(tokens(context.submit("asample", one).result())) for one in (null, bare)]
        expect(min(lengths) > 0, "null is as if it were left out", "tokens", lengths)
        if steady(context, sampler, 24):
            expect_equal(lengths[0], lengths[1], "null is as if it were left out")


@scenario("sampling/prompt-logprobs")
def prompt_logprobs(context: ScenarioContext) -> None:
    """compute_logprobs, as the SDK does it, and its top-k companion."""
    session = context.session()
    sampler = context.sampler(session)
    asked = sample(sampler, 0, max_tokens=1, prompt_logprobs=True, topk_prompt_logprobs=3)
    ranked = context.submit("asample", asked).outcome()
    result = ranked
    if ranked.failed:  # the ranking is an extra: it must not cost the rest
        result = draw(context, sampler, 5, max_tokens=1, prompt_logprobs=True)
    values = result.at("/prompt_logprobs")
    with context.check("sampling/prompt-logprobs/length"):
        expect_equal(len(values), len(TOKENS), "one for each token of the prompt")
    with context.check("sampling/prompt-logprobs/first-missing"):
        expect_equal(values[0], None, "the first token has none")
    with context.check("sampling/prompt-logprobs/range"):
        fine = all(isinstance(v, float) and v <= 1e-6 for v in values[1:])
        expect(fine, "the others are log-probabilities", "<= 0", values)
    with context.check("sampling/prompt-logprobs/unasked"):
        plain = draw(context, sampler, 1, max_tokens=1)
        expect(not plain.value.get("prompt_logprobs"), "not asked, not given", "absent")
    with context.check("sampling/prompt-logprobs/temperature-free"):
        cold = draw(context, sampler, 2, max_tokens=1, prompt_logprobs=True, temperature=0.5)
        warm = cold.at("/prompt_logprobs")[1:]
        context.alike(warm, values[1:], "temperature is for sampled tokens only")
    with context.check("sampling/prompt-logprobs/equal-forward"):
        model = context.model(session)
        step(context, model, 1)
        made = context.submit(
            "save_weights_for_sampler", bodies.save_sampler(model, 3, path="parity")
        )
        path = str(made.result().at("/path"))
        context.delete_checkpoint_later(path)
        seen = bodies.logprobs(context.submit("forward", bodies.forward(model, 4)).result())
        cut = {"chunks": [bodies.text(*part)["chunks"][0] for part in (TOKENS[:2], TOKENS[2:])]}
        ask: dict[str, Any] = {"max_tokens": 1, "prompt_logprobs": True, "prompt": cut}
        own = draw(context, context.sampler(session, path), 0, **ask).at("/prompt_logprobs")
        if len(own) != len(TOKENS):
            raise Inapplicable("one is missing (sampling/prompt-logprobs/length says so)")
        context.alike(own[1:], seen, "sampler and trainer agree")
    if ranked.failed:
        raise ranked.failure("topk_prompt_logprobs is taken")
    topk(context, ranked.at("/topk_prompt_logprobs"), values)


def topk(
    context: ScenarioContext, rows: list[list[list[float]] | None], values: list[float | None]
) -> None:
    """Checks of topk_prompt_logprobs."""
    with context.check("sampling/topk/rows"):
        expect_equal(len(rows), len(TOKENS), "a row for each token of the prompt")
    with context.check("sampling/topk/first-missing"):
        expect(not rows[0], "the first row is empty", None, rows[0])
    with context.check("sampling/topk/width"):
        expect_equal({len(row or ()) for row in rows[1:]}, {3}, "k entries in each row")
    with context.check("sampling/topk/descending"):
        expect_equal(len(rows), len(values), "as many rows as log-probabilities")
        for row, value in zip(rows[1:], values[1:], strict=True):
            chances = [chance for _, chance in row or ()] or [-math.inf]
            expect(chances == sorted(chances, reverse=True), "likeliest first", "sorted", row)
            expect((value or 0.0) <= chances[0] + 1e-4, "nothing beats the first", chances, value)


@scenario("sampling/sequence-numbers")
def sequence_numbers(context: ScenarioContext) -> None:
    """Samples have numbers and no order."""
    sampler = context.sampler()
    want = steady(context, sampler, 40)

    def usual(outcome: Outcome) -> None:
        """Unmet unless it is the sample as it always is."""
        found = tokens(outcome)
        expect_equal(found if want else want, want, "the same sample as by any other request")
        expect(found, "a sample", "tokens", outcome.value)

    with context.check("sampling/seq-id/gaps"):
        for seq_id in (17, 3):
            usual(draw(context, sampler, seq_id))
    with context.check("sampling/seq-id/large"):
        usual(draw(context, sampler, 999_999_999 * 10**9))
    with context.check("sampling/seq-id/null-fields"):
        nothing = {"base_model": None, "model_path": None, "prompt_logprobs": None}
        usual(draw(context, sampler, 30, **nothing))
    with context.check("sampling/params/defaults"):
        body = sample(sampler, 31)
        body["sampling_params"] = {"max_tokens": 8, "seed": 7}
        body["prompt"] = {"chunks": [{"tokens": list(TOKENS)}]}
        del body["type"], body["topk_prompt_logprobs"], body["prompt_logprobs"]
        usual(context.submit("asample", body).result())
    with context.check("sampling/params/no-max-tokens"):
        body = sample(sampler, 32)
        del body["sampling_params"]["max_tokens"]
        free = context.submit("asample", body).result(context.target.timeout)
        found = tokens(free)[: len(want)]
        expect_equal(found, want or found, "it goes on from what max_tokens cuts off")
        ended = free.at("/sequences/0/stop_reason") == "stop" or len(tokens(free)) > 64
        expect(ended, "to its own end, or that of the context", "longer", free.value)
    if context.applies("sampling/fields/stability"):
        with context.check("sampling/fields/stability"):
            usual(draw(context, sampler, 33, record_stability_info=False))
    with context.check("sampling/fields/backpressure-header"):
        headers = {"x-tinker-sampling-backpressure": "1"}
        reply = context.client.call("asample", sample(sampler, 34), headers=headers)
        usual(Promised(context, "asample", reply).result())
    with context.check("sampling/many/concurrent"):
        sent = [context.aside(partial(draw, context, sampler, 100 + n)) for n in range(12)]
        counts = {len(one.result().at("/sequences")) for one in sent}
        expect_equal(counts, {1}, "twelve at once are served")


@scenario("sampling/trained")
def trained(context: ScenarioContext) -> None:
    """Samplers of trained weights are snapshots."""
    session = context.session()
    model = context.model(session)
    step(context, model, 1)
    made = context.submit(
        "save_weights_for_sampler", bodies.save_sampler(model, 3, path="snapshot")
    )
    path = str(made.result().at("/path"))
    context.delete_checkpoint_later(path)
    sampler = context.sampler(session, path)
    with context.check("sampling/trained/path-kept"):
        got = context.client.call("get_sampler", path={"sampler_id": sampler}).require()
        expect_equal(got.at("/model_path"), path, "its checkpoint")
    ask: dict[str, Any] = {"max_tokens": 1, "prompt_logprobs": True}
    before = draw(context, sampler, 0, **ask).at("/prompt_logprobs")
    with context.check("sampling/trained/differs"):
        plain = draw(context, context.sampler(session), 0, **ask).at("/prompt_logprobs")
        expect(before != plain, "training shows in the sampler", "other numbers", before)
    step(context, model, 4)
    with context.check("sampling/trained/snapshot"):
        after = draw(context, sampler, 1, **ask).at("/prompt_logprobs")
        expect_equal(after, before, "later training does not change it")
    with context.check("sampling/trained/ephemeral"):
        body = bodies.save_sampler(model, 6, sampling_session_seq_id=context.next_sampler(session))
        latest = context.submit("save_weights_for_sampler", body).result()
        fresh = str(latest.at("/sampling_session_id"))
        expect(draw(context, fresh, 0, **ask).at("/prompt_logprobs") != before, "newer weights", "")


def step(context: ScenarioContext, model: str, seq_id: int) -> None:
    """One training step at seq_id and seq_id + 1."""
    context.submit("forward_backward", bodies.train(model, seq_id)).result()
    context.submit("optim_step", bodies.optim(model, seq_id + 1, 0.004)).result()
