"""What a client does for its session and its credential while it works for long."""

from itertools import pairwise

from tinker_mock.suite.client.judging import judges, need
from tinker_mock.suite.client.traffic import RecordedExchange, Traffic
from tinker_mock.suite.core.verdict import expect, expect_equal

PERIOD = 10.0
"""Seconds from beat to beat."""


def beats(traffic: Traffic) -> list[RecordedExchange]:
    """The heartbeats of a program that lived for two of them."""
    made = traffic.of("create_session")
    lived = traffic.exchanges[-1].at - made[0].until if made else 0.0
    need(lived > 2 * PERIOD, "the session was shorter than two heartbeats")
    return traffic.of("session_heartbeat")


@judges("client/long/beats", "long")
def long_beats(traffic: Traffic) -> None:
    found = beats(traffic)
    expect(found, "a session is kept alive while its program waits", "a heartbeat", "none")


@judges("client/long/beats-on", "long")
def beats_on(traffic: Traffic) -> None:
    found = beats(traffic)
    need(found, "there was no heartbeat")
    left = traffic.exchanges[-1].at - found[0].until
    need(left > 1.5 * PERIOD, "the program ended soon after its first heartbeat")
    expect(len(found) > 1, "a heartbeat that got 503 is followed by the next one", "two", 1)


@judges("client/long/cadence", "long")
def long_cadence(traffic: Traffic) -> None:
    found = beats(traffic)
    need(len(found) > 1, "fewer than two heartbeats")
    gaps = [later.at - one.at for one, later in pairwise(found)]
    expect(all(3 < gap < 20 for gap in gaps), "every 10 s or so", "10 s", gaps)


@judges("client/ended/stops-beating", "ended")
def stops_beating(traffic: Traffic) -> None:
    need(traffic.release >= 26 or not traffic.release, "older than 0.26")
    found = beats(traffic)
    need(found, "there was no heartbeat")
    expect_equal(len(found), 1, "a heartbeat that got 410 is the last one")


@judges("client/tokens/used", "tokens")
def tokens_used(traffic: Traffic) -> None:
    need(traffic.release >= 18 or not traffic.release, "older than 0.18")
    work = [one for one in traffic.submits if one.headers.get("x-api-key")]
    need(work, "no work was submitted")
    asked = traffic.of("create_auth_token")
    expect(asked, "a server that wants tokens is asked for one", "auth/token", "never")
    bare = [one.operation for one in work if one.headers["x-api-key"] == credential(asked[0])]
    expect(not bare, "work is proved with the token, not with the key", "the token", bare[:5])


def credential(exchange: RecordedExchange) -> str:
    """What proved its sender, as the journal marks it."""
    return str(exchange.headers.get("x-api-key"))


@judges("client/tokens/kept", "tokens")
def tokens_kept(traffic: Traffic) -> None:
    asked = traffic.of("create_auth_token")
    need(asked, "no token was asked for")
    most = max(4, len(traffic.exchanges) // 4)
    expect(len(asked) <= most, "a token is used until it is over", f"<= {most}", len(asked))


@judges("client/tokens/renewed", "tokens")
def tokens_renewed(traffic: Traffic) -> None:
    need(traffic.release >= 38 or not traffic.release, "older than 0.38")
    refused = [one for one in traffic.ordered if one.status == 401]
    need(refused, "no token was refused")
    one = refused[0]
    later = [two for two in traffic.ordered if two.identity == one.identity and two.at > one.at]
    expect(later, "work whose token was refused is sent again", "again", "never")
    fresh = [two for two in traffic.of("create_auth_token") if one.at < two.at < later[0].at]
    expect(fresh, "with a token that was asked for anew", "auth/token", "not asked again")
