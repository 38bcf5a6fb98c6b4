"""How a client keeps the protocol: headers, bodies, the first and the last request."""

import signal
from collections import Counter
from itertools import pairwise

from tinker_mock.suite.client.calls import calls_made
from tinker_mock.suite.client.judging import judges, need
from tinker_mock.suite.client.traffic import RecordedExchange, Traffic
from tinker_mock.suite.core.verdict import expect, expect_equal


def all_have(traffic: Traffic, header: str, among: list[RecordedExchange] | None = None) -> None:
    """Every exchange has this header; what a signed link leads to may be fetched by anything."""
    chosen = [one for one in (traffic.exchanges if among is None else among)
              if one.operation != "download_file"]  # fmt: skip
    need(chosen, "nothing was said")
    bare = [f"{one.operation}" for one in chosen if not one.headers.get(header)]
    expect(not bare, f"{header} is sent with every request", header, bare[:5])


def posts(traffic: Traffic) -> list[RecordedExchange]:
    """Exchanges that carry a body."""
    return [one for one in traffic.exchanges if one.entry["method"] in ("POST", "PUT")]


def first(traffic: Traffic, operation: str) -> float:
    """When an operation was first asked for; far in the future if never."""
    return min((one.at for one in traffic.of(operation)), default=float("inf"))


@judges("client/headers/api-key")
def api_key(traffic: Traffic) -> None:
    all_have(traffic, "x-api-key", [one for one in traffic.exchanges if one.operation != "healthz"])


@judges("client/headers/no-authorization")
def no_authorization(traffic: Traffic) -> None:
    wrong = [one.operation for one in traffic.exchanges if "authorization" in one.headers]
    expect(not wrong, "the key is not sent as Authorization", "X-API-Key only", wrong[:5])


@judges("client/headers/accept")
def accept(traffic: Traffic) -> None:
    all_have(traffic, "accept")


@judges("client/headers/content-type")
def content_type(traffic: Traffic) -> None:
    all_have(traffic, "content-type", posts(traffic))


@judges("client/headers/user-agent")
def user_agent(traffic: Traffic) -> None:
    all_have(traffic, "user-agent")


@judges("client/headers/version")
def version(traffic: Traffic) -> None:
    all_have(traffic, "x-stainless-package-version")


@judges("client/headers/idempotency-key")
def idempotency_key(traffic: Traffic) -> None:
    all_have(traffic, "x-idempotency-key", traffic.submits)


@judges("client/headers/idempotency-unique")
def idempotency_unique(traffic: Traffic) -> None:
    keys = [one.headers.get("x-idempotency-key") for one in traffic.submits]
    need(any(keys), "no idempotency keys")
    twice = [key for key, count in Counter(keys).items() if key and count > 1]
    expect(not twice, "different calls have different keys", "unique", twice[:3])


@judges("client/headers/content-length")
def content_length(traffic: Traffic) -> None:
    all_have(traffic, "content-length", posts(traffic))


@judges("client/headers/retry-count")
def retry_count(traffic: Traffic) -> None:
    counts = {one.headers.get("x-stainless-retry-count") for one in traffic.submits}
    need(traffic.submits, "no submissions")
    expect_equal(counts, {"0"}, "first attempts say 0")


@judges("client/headers/read-timeout")
def read_timeout(traffic: Traffic) -> None:
    all_have(traffic, "x-stainless-read-timeout", traffic.polls)


@judges("client/wire/known-operations")
def known_operations(traffic: Traffic) -> None:
    strange = [one.entry["path"] for one in traffic.exchanges if not one.operation]
    expect(not strange, "only paths of the API are asked for", "known paths", strange[:5])


@judges("client/wire/valid-requests")
def valid_requests(traffic: Traffic) -> None:
    expected = {
        one.entry["number"] for made in calls_made(traffic) if made.refused for one in made.became
    }
    broken = [
        f"{one.operation}: {one.entry.get('violations')}"
        for one in traffic.exchanges
        if one.entry.get("verdict") in ("request", "refused")
        and one.entry["number"] not in expected
    ]
    expect(not broken, "requests keep the contract", "valid", broken[:3])


@judges("client/wire/known-fields")
def known_fields(traffic: Traffic) -> None:
    strange = [
        one.entry["unknown_fields"] for one in traffic.exchanges if one.entry.get("unknown_fields")
    ]
    expect(not strange, "requests have only known fields", "known", strange[:3])


@judges("client/start/config-first")
def config_first(traffic: Traffic) -> None:
    need(traffic.release >= 18, "the client says it is older than 0.18")
    before = first(traffic, "get_client_config")
    expect(before <= first(traffic, "create_session"), "flags are asked for first", "config")


@judges("client/start/session-first")
def session_first(traffic: Traffic) -> None:
    work = traffic.of("create_model", "create_sampling_session")
    need(work, "no work was submitted")
    expect(first(traffic, "create_session") < work[0].at, "a session comes before work", "")


@judges("client/start/one-session")
def one_session(traffic: Traffic) -> None:
    made = traffic.of("create_session")
    need(made, "no session was made")
    expect_equal(len(made), 1, "one session a process")


@judges("client/start/session-verbatim")
def session_verbatim(traffic: Traffic) -> None:
    known = {one.answer.get("session_id") for one in traffic.of("create_session")}
    work = traffic.of("create_model", "create_sampling_session", "session_heartbeat")
    need(work, "no work in a session")
    strange = {one.body.get("session_id") for one in work} - known - {None}
    expect(not strange, "the session's id is used as given", known, strange)


@judges("client/start/sdk-version")
def sdk_version(traffic: Traffic) -> None:
    made = traffic.of("create_session")
    need(made, "no session was made")
    expect(all(one.body.get("sdk_version") for one in made), "sdk_version is told", "a version")


@judges("client/telemetry/batch-size")
def telemetry_batch(traffic: Traffic) -> None:
    sent = traffic.of("send_telemetry")
    need(sent, "no telemetry was sent")
    sizes = [len(one.body.get("events") or ()) for one in sent]
    expect(max(sizes) <= 100, "at most 100 events a batch", "<= 100", sizes)


@judges("client/telemetry/no-key")
def telemetry_no_key(traffic: Traffic) -> None:
    sent = traffic.of("send_telemetry")
    need(sent, "no telemetry was sent")
    leaks = [one.entry["number"] for one in sent if traffic.key in repr(one.body)]
    expect(not leaks, "the key is never part of an event", "no key", leaks)


@judges("client/telemetry/session")
def telemetry_session(traffic: Traffic) -> None:
    sent = traffic.of("send_telemetry")
    need(sent, "no telemetry was sent")
    known = {one.answer.get("session_id") for one in traffic.of("create_session")}
    ids = {str(one.body.get("session_id")) for one in sent}
    strange = [one for one in ids if one not in known and not one.startswith("sessionless-")]
    expect(not strange, "telemetry names its session", known, strange)


@judges("client/heartbeat/sent")
def heartbeat_sent(traffic: Traffic) -> None:
    made = traffic.of("create_session")
    lived = traffic.exchanges[-1].at - made[0].until if made else 0.0
    need(lived > 14, "the session was shorter than a heartbeat's interval")
    expect(traffic.of("session_heartbeat"), "the session is kept alive", "a heartbeat", "none")


@judges("client/heartbeat/cadence")
def heartbeat_cadence(traffic: Traffic) -> None:
    beats = traffic.of("session_heartbeat")
    need(len(beats) > 1, "fewer than two heartbeats")
    gaps = [later.at - one.at for one, later in pairwise(beats)]
    expect(all(3 < gap < 20 for gap in gaps), "every 10 s or so", "10 s", gaps)


@judges("client/heartbeat/stops")
def heartbeat_stops(traffic: Traffic) -> None:
    ends = traffic.of("finish_session")
    need(ends, "the session was not finished")
    late = [one.at for one in traffic.of("session_heartbeat") if one.at > ends[0].until]
    expect(not late, "no heartbeat after the end", "none", late)


@judges("client/finish/sent")
def finish_sent(traffic: Traffic) -> None:
    need(traffic.of("create_session"), "no session was made")
    need(traffic.release >= 27 or not traffic.release, "older than 0.27")
    expect(traffic.of("finish_session"), "the session is finished", "finish", "never")


@judges("client/finish/once")
def finish_once(traffic: Traffic) -> None:
    ends = traffic.of("finish_session")
    need(ends, "the session was not finished")
    expect_equal(len(ends), 1, "finished once")


@judges("client/finish/last")
def finish_last(traffic: Traffic) -> None:
    ends = traffic.of("finish_session")
    need(ends, "the session was not finished")
    late = [one.operation for one in traffic.submits if one.at > ends[-1].at]
    expect(not late, "no work after the end", "none", late)


@judges("client/run/exit")
def run_exit(traffic: Traffic) -> None:
    code = traffic.exit_code
    killer = f" ({signal.strsignal(-code)})" if code is not None and code < 0 else ""
    expect_equal(code, 0, f"the program succeeds{killer}: {traffic.output[-300:]}")
