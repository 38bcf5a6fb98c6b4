"""Usage and storage by what was done, each tenant's own."""

import hashlib
import time
from datetime import datetime
from typing import Any

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.http import RecordingClient, Reply
from tinker_mock.suite.core.verdict import Inapplicable, expect, expect_equal
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.bodies import TOKENS
from tinker_mock.suite.server.scenario import scenario

HOUR = "%Y-%m-%dT%H:00:00Z"
DRAWN, SAMPLES = 8, 3


def report(client: RecordingClient, zone: str = "Z", hours: tuple[int, int] = (-1, 2)) -> Reply:
    """The report of some hours around this one."""
    now = time.time()
    begin, end = (time.strftime(HOUR, time.gmtime(now + 3600 * hour)) for hour in hours)
    query = {"starting_on": begin.replace("Z", zone), "ending_before": end.replace("Z", zone)}
    return client.call("get_billing_usage", query=query)


def events(
    client: RecordingClient, session: str, zone: str = "Z", hours: tuple[int, int] = (-1, 2)
) -> list[dict[str, Any]]:
    """What a session used, by the report of these hours; Inapplicable without reports."""
    reply = report(client, zone, hours)
    if reply.status in (404, 405, 403):
        raise Inapplicable("the server has no usage reports")
    rows: list[dict[str, Any]] = reply.require().at("/data")
    return [one for one in rows if one.get("session_id") == session]


def owners(client: RecordingClient) -> dict[str, Any]:
    """What the report of these hours says of the sessions in it."""
    return dict(report(client).require().json().get("sessions") or {})


def tokens(rows: list[dict[str, Any]], kind: str) -> int:
    """The tokens of the events whose type begins so."""
    found = [one["event_info"] for one in rows]
    told = [one for one in found if str(one.get("type")).startswith(kind)]
    return sum(int(one.get("token_count", 0)) for one in told)


@scenario("billing/counts")
def counts(context: ScenarioContext) -> None:
    """Usage counts what was done, and for its own tenant only."""
    session = context.session(user_metadata={"team": "usage"})
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
    with context.check("billing/usage/buckets"):
        for one in rows:
            begin, end = (datetime.fromisoformat(one[n]) for n in ("bucket_start", "bucket_end"))
            expect_equal((end - begin).total_seconds(), 3600.0, "a bucket is an hour")
            fresh = abs(begin.timestamp() - time.time()) < 7200
            expect(fresh, "the hour in which it was used", "now", one["bucket_start"])
    with context.check("billing/usage/sessions"):
        told = owners(context.client)
        if not told:
            raise Inapplicable("the report says nothing of sessions")
        expect_equal(
            told.get(session, {}).get("user_metadata"), {"team": "usage"}, "as it was made"
        )
    sampling(context, session)
    known_prompts(context)
    storage(context, session, model)


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


def known_prompts(context: ScenarioContext) -> None:
    """A prompt that nobody sent before is read anew."""
    session = context.session()
    sampler = context.sampler(session)
    digest = hashlib.sha512(f"{session} {time.time()}".encode()).digest()
    prompt = bodies.text(*(300 + byte for byte in digest))
    asked = [bodies.sample(sampler, number, prompt=prompt, max_tokens=1) for number in (1, 2)]
    found = [context.submit("asample", body).result().value for body in asked]
    with context.check("sampling/result/cache-misses"):
        first = found[0].get("prompt_cache_hit_tokens") or 0
        expect_equal(first, 0, "nothing of it was known")
    with context.check("billing/usage/cached"):
        rows = events(context.client, session)
        read = tokens(rows, "sampling_prefill")
        known = sum(
            int(one["event_info"].get("token_count", 0))
            for one in rows
            if one["event_info"].get("cached") is True
        )
        hit = sum(one.get("prompt_cache_hit_tokens") or 0 for one in found)
        expect_equal((read, known), (2 * len(digest), hit), "all that was read, and what was known")


def storage(context: ScenarioContext, session: str, model: str) -> None:
    """What checkpoints take, and for how long."""

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
    elsewhen(context, session)


def elsewhen(context: ScenarioContext, session: str) -> None:
    """What is over, and what has not been."""

    def stored() -> float:
        rows = [one["event_info"] for one in events(context.client, session)]
        return sum(float(one["gigabyte_hours"]) for one in rows if one.get("type") == "storage")

    with context.check("billing/usage/storage-ends"):
        first, second = stored(), stored()
        expect(first > 0, "a checkpoint that was kept took room for a while", "> 0", first)
        expect_equal(second, first, "since it was deleted it takes none")
    with context.check("billing/usage/elsewhen"):
        rows = events(context.client, session, hours=(-4, -2))
        expect_equal(rows, [], "hours before it have nothing of a session")
