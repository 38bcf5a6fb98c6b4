"""Usage and storage by what was done, each tenant's own."""

import time
from typing import Any

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.http import RecordingClient
from tinker_mock.suite.core.verdict import Inapplicable, expect, expect_equal
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.bodies import TOKENS
from tinker_mock.suite.server.scenario import scenario

HOUR = "%Y-%m-%dT%H:00:00Z"
DRAWN, SAMPLES = 8, 3


def events(client: RecordingClient, session: str, zone: str = "Z") -> list[dict[str, Any]]:
    """What a session used, by the report of these hours; Inapplicable without reports."""
    now = time.time()
    begin, end = (time.strftime(HOUR, time.gmtime(now + seconds)) for seconds in (-3600, 7200))
    query = {"starting_on": begin.replace("Z", zone), "ending_before": end.replace("Z", zone)}
    reply = client.call("get_billing_usage", query=query)
    if reply.status in (404, 405, 403):
        raise Inapplicable("the server has no usage reports")
    rows: list[dict[str, Any]] = reply.require().at("/data")
    return [one for one in rows if one.get("session_id") == session]


def tokens(rows: list[dict[str, Any]], kind: str) -> int:
    """The tokens of the events whose type begins so."""
    found = [one["event_info"] for one in rows]
    told = [one for one in found if str(one.get("type")).startswith(kind)]
    return sum(int(one.get("token_count", 0)) for one in told)


@scenario("billing/counts")
def counts(context: ScenarioContext) -> None:
    """Usage counts what was done, and for its own tenant only."""
    session = context.session()
    model = context.model(session)
    data = [bodies.datum(*range(20, 52))] * 3
    context.submit("forward_backward", bodies.train(model, 1, data)).result()
    rows = events(context.client, session)
    with context.check("billing/usage/counts"):
        expect_equal(tokens(rows, "training"), 3 * 31, "every token that was trained on")
    with context.check("auth/isolation/billing"):
        others = tokens(events(context.other_tenant(), session), "training")
        expect_equal(others, 0, "nothing of it in another tenant's report")
    with context.check("billing/usage/zone"):
        shifted = events(context.client, session, "+00:00")
        expect_equal(shifted, rows, "a time in UTC, written either way")
    sampling(context, session)
    storage(context, model)


def sampling(context: ScenarioContext, session: str) -> None:
    """Tokens that were read and drawn, and those that were known."""
    sampler = context.sampler(session)
    ask = {"max_tokens": DRAWN, "stop": [], "num_samples": SAMPLES}
    sent = context.submit("asample", bodies.sample(sampler, 1, **ask)).result()
    again = context.submit("asample", bodies.sample(sampler, 2, **ask)).result()
    rows = events(context.client, session)
    with context.check("billing/usage/sampling"):
        read, drawn = tokens(rows, "sampling_prefill"), tokens(rows, "sampling_sample")
        told = (2 * len(TOKENS), 2 * DRAWN * SAMPLES)
        expect_equal((read, drawn), told, "tokens of prompts, and tokens that were drawn")
    with context.check("sampling/result/cache-hits"):
        hits = [one.value.get("prompt_cache_hit_tokens") for one in (sent, again)]
        fine = all(hit is None or 0 <= hit <= len(TOKENS) for hit in hits)
        expect(fine, "from none to all of the prompt", f"0..{len(TOKENS)}", hits)


def storage(context: ScenarioContext, model: str) -> None:
    """What checkpoints take."""

    def held() -> tuple[int, int]:
        reply = context.client.call("get_checkpoint_storage_usage")
        if reply.status in (404, 405, 403):
            raise Inapplicable("the server does not report storage")
        rows = reply.require().at("/data")
        for one in rows:
            share = one["size_bytes"] / one["size_gigabytes"] if one["size_gigabytes"] else 1e9
            expect(
                0.9e9 < share < 1.1e9, "gigabytes are bytes / 10^9 or 2^30", one["size_bytes"], one
            )
        return sum(one["checkpoint_count"] for one in rows), sum(one["size_bytes"] for one in rows)

    with context.check("billing/storage/counts"):
        count, size = held()
        path = str(
            context.submit("save_weights", bodies.save(model, 2, "stored")).result().at("/path")
        )
        more, larger = held()
        expect(more > count and larger > size, "a checkpoint takes room", (count, size), more)
        parts = path.removeprefix("tinker://").split("/")
        where = dict(zip(("run_id", "kind", "name"), parts, strict=True))
        context.client.call("delete_checkpoint", path=where).require()
        left, smaller = held()
        expect(left < more and smaller < larger, "and none when it is deleted", "less", left)
