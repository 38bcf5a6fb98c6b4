"""How a client speaks: headers, bodies, the first and last things it says."""

from collections import Counter
from itertools import pairwise

from tinker_mock.suite.client.judging import judges, need
from tinker_mock.suite.client.traffic import Conversation, Said
from tinker_mock.suite.core.verdict import expect, expect_equal


def all_have(conversation: Conversation, header: str, among: list[Said] | None = None) -> None:
    """Every exchange has this header."""
    chosen = conversation.said if among is None else among
    need(chosen, "nothing was said")
    bare = [f"{one.operation}" for one in chosen if not one.headers.get(header)]
    expect(not bare, f"{header} is sent with every request", header, bare[:5])


def posts(conversation: Conversation) -> list[Said]:
    """Exchanges that carry a body."""
    return [one for one in conversation.said if one.entry["method"] in ("POST", "PUT")]


def first(conversation: Conversation, operation: str) -> float:
    """When an operation was first asked for; far in the future if never."""
    return min((one.at for one in conversation.of(operation)), default=float("inf"))


@judges("client/headers/api-key")
def api_key(conversation: Conversation) -> None:
    all_have(
        conversation, "x-api-key", [one for one in conversation.said if one.operation != "healthz"]
    )


@judges("client/headers/no-authorization")
def no_authorization(conversation: Conversation) -> None:
    wrong = [one.operation for one in conversation.said if "authorization" in one.headers]
    expect(not wrong, "the key is not sent as Authorization", "X-API-Key only", wrong[:5])


@judges("client/headers/accept")
def accept(conversation: Conversation) -> None:
    all_have(conversation, "accept")


@judges("client/headers/content-type")
def content_type(conversation: Conversation) -> None:
    all_have(conversation, "content-type", posts(conversation))


@judges("client/headers/user-agent")
def user_agent(conversation: Conversation) -> None:
    all_have(conversation, "user-agent")


@judges("client/headers/version")
def version(conversation: Conversation) -> None:
    all_have(conversation, "x-stainless-package-version")


@judges("client/headers/idempotency-key")
def idempotency_key(conversation: Conversation) -> None:
    all_have(conversation, "x-idempotency-key", conversation.submits)


@judges("client/headers/idempotency-unique")
def idempotency_unique(conversation: Conversation) -> None:
    keys = [one.headers.get("x-idempotency-key") for one in conversation.submits]
    need(any(keys), "no idempotency keys")
    twice = [key for key, count in Counter(keys).items() if key and count > 1]
    expect(not twice, "different calls have different keys", "unique", twice[:3])


@judges("client/headers/content-length")
def content_length(conversation: Conversation) -> None:
    all_have(conversation, "content-length", posts(conversation))


@judges("client/headers/retry-count")
def retry_count(conversation: Conversation) -> None:
    counts = {one.headers.get("x-stainless-retry-count") for one in conversation.submits}
    need(conversation.submits, "no submissions")
    expect_equal(counts, {"0"}, "first attempts say 0")


@judges("client/headers/read-timeout")
def read_timeout(conversation: Conversation) -> None:
    all_have(conversation, "x-stainless-read-timeout", conversation.polls)


@judges("client/wire/known-operations")
def known_operations(conversation: Conversation) -> None:
    strange = [one.entry["path"] for one in conversation.said if not one.operation]
    expect(not strange, "only paths of the API are asked for", "known paths", strange[:5])


@judges("client/wire/valid-requests")
def valid_requests(conversation: Conversation) -> None:
    broken = [
        f"{one.operation}: {one.entry.get('violations')}"
        for one in conversation.said
        if one.entry.get("verdict") in ("request", "refused")
    ]
    expect(not broken, "requests keep the contract", "valid", broken[:3])


@judges("client/wire/known-fields")
def known_fields(conversation: Conversation) -> None:
    strange = [
        one.entry["unknown_fields"] for one in conversation.said if one.entry.get("unknown_fields")
    ]
    expect(not strange, "requests have only known fields", "known", strange[:3])


@judges("client/start/config-first")
def config_first(conversation: Conversation) -> None:
    need(conversation.release >= 18, "the client says it is older than 0.18")
    before = first(conversation, "get_client_config")
    expect(before <= first(conversation, "create_session"), "flags are asked for first", "config")


@judges("client/start/session-first")
def session_first(conversation: Conversation) -> None:
    work = conversation.of("create_model", "create_sampling_session")
    need(work, "no work was submitted")
    expect(first(conversation, "create_session") < work[0].at, "a session comes before work", "")


@judges("client/start/one-session")
def one_session(conversation: Conversation) -> None:
    made = conversation.of("create_session")
    need(made, "no session was made")
    expect_equal(len(made), 1, "one session a process")


@judges("client/start/session-verbatim")
def session_verbatim(conversation: Conversation) -> None:
    known = {one.answer.get("session_id") for one in conversation.of("create_session")}
    work = conversation.of("create_model", "create_sampling_session", "session_heartbeat")
    need(work, "no work in a session")
    strange = {one.body.get("session_id") for one in work} - known - {None}
    expect(not strange, "the session's id is used as given", known, strange)


@judges("client/start/sdk-version")
def sdk_version(conversation: Conversation) -> None:
    made = conversation.of("create_session")
    need(made, "no session was made")
    expect(all(one.body.get("sdk_version") for one in made), "sdk_version is told", "a version")


@judges("client/telemetry/batch-size")
def telemetry_batch(conversation: Conversation) -> None:
    sent = conversation.of("send_telemetry")
    need(sent, "no telemetry was sent")
    sizes = [len(one.body.get("events") or ()) for one in sent]
    expect(max(sizes) <= 100, "at most 100 events a batch", "<= 100", sizes)


@judges("client/telemetry/no-key")
def telemetry_no_key(conversation: Conversation) -> None:
    sent = conversation.of("send_telemetry")
    need(sent, "no telemetry was sent")
    leaks = [one.entry["number"] for one in sent if conversation.key in repr(one.body)]
    expect(not leaks, "the key is never part of an event", "no key", leaks)


@judges("client/telemetry/session")
def telemetry_session(conversation: Conversation) -> None:
    sent = conversation.of("send_telemetry")
    need(sent, "no telemetry was sent")
    known = {one.answer.get("session_id") for one in conversation.of("create_session")}
    ids = {str(one.body.get("session_id")) for one in sent}
    strange = [one for one in ids if one not in known and not one.startswith("sessionless-")]
    expect(not strange, "telemetry names its session", known, strange)


@judges("client/heartbeat/sent")
def heartbeat_sent(conversation: Conversation) -> None:
    made = conversation.of("create_session")
    lived = conversation.said[-1].at - made[0].until if made else 0.0
    need(lived > 14, "the session was shorter than a heartbeat's interval")
    expect(conversation.of("session_heartbeat"), "the session is kept alive", "a heartbeat", "none")


@judges("client/heartbeat/cadence")
def heartbeat_cadence(conversation: Conversation) -> None:
    beats = conversation.of("session_heartbeat")
    need(len(beats) > 1, "fewer than two heartbeats")
    gaps = [later.at - one.at for one, later in pairwise(beats)]
    expect(all(3 < gap < 20 for gap in gaps), "every 10 s or so", "10 s", gaps)


@judges("client/heartbeat/stops")
def heartbeat_stops(conversation: Conversation) -> None:
    ends = conversation.of("finish_session")
    need(ends, "the session was not finished")
    late = [one.at for one in conversation.of("session_heartbeat") if one.at > ends[0].until]
    expect(not late, "no heartbeat after the end", "none", late)


@judges("client/finish/sent")
def finish_sent(conversation: Conversation) -> None:
    need(conversation.of("create_session"), "no session was made")
    need(conversation.release >= 27 or not conversation.release, "older than 0.27")
    expect(conversation.of("finish_session"), "the session is finished", "finish", "never")


@judges("client/finish/once")
def finish_once(conversation: Conversation) -> None:
    ends = conversation.of("finish_session")
    need(ends, "the session was not finished")
    expect_equal(len(ends), 1, "finished once")


@judges("client/finish/last")
def finish_last(conversation: Conversation) -> None:
    ends = conversation.of("finish_session")
    need(ends, "the session was not finished")
    late = [one.operation for one in conversation.submits if one.at > ends[-1].at]
    expect(not late, "no work after the end", "none", late)


@judges("client/run/exit")
def run_exit(conversation: Conversation) -> None:
    expect_equal(conversation.exit_code, 0, f"the program succeeds: {conversation.output[-300:]}")
