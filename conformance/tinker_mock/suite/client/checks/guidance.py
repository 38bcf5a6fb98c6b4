"""Whether a client does what a server's flags ask of it: tokens, sizes, ways to poll."""

import hashlib

from tinker_mock.suite.client.checks.requests import data_of
from tinker_mock.suite.client.checks.understanding import PASSES
from tinker_mock.suite.client.judging import judges, need
from tinker_mock.suite.client.traffic import RecordedExchange, Traffic
from tinker_mock.suite.core.verdict import expect

MOST = 3
"""Data in a request, as the situation's flags have it."""


def mark(secret: str) -> str:
    """How the journal writes a secret down: another one for another secret."""
    return f"<redacted {hashlib.sha256(secret.encode()).hexdigest()[:8]}>"


def after_the_token(traffic: Traffic) -> list[RecordedExchange]:
    """What was asked once a token was there; Inapplicable if none was asked for."""
    need(traffic.release >= 18, "releases before 0.18 know no tokens")
    got = [one.until for one in traffic.of("create_auth_token") if one.ok]
    expect(got, "the key is exchanged for a token", "auth/token", "never")
    return [
        one
        for one in traffic.exchanges
        if one.at > got[0] and one.operation not in ("create_auth_token", "healthz", "")
    ]


def token_used(traffic: Traffic) -> None:
    """Once there is a token, the key is sent no more."""
    later = after_the_token(traffic)
    key = mark(traffic.key)
    wrong = [one.operation for one in later if one.headers.get("x-api-key") == key]
    expect(not wrong, "requests carry the token, not the key", "the token", wrong[:5])


for situation in ("guided", "expired"):
    judges(f"client/{situation}/token-used", situation)(token_used)


@judges("client/expired/renewed", "expired")
def renewed(traffic: Traffic) -> None:
    need(traffic.release >= 38, "releases before 0.38 end with a refused token")
    refused = [one for one in traffic.of(*PASSES) if one.status == 401]
    need(refused, "no training request was made")
    one = refused[0]
    asked = [two for two in traffic.of("create_auth_token") if two.at > one.at]
    expect(asked, "a refused token is exchanged for another one", "auth/token", "never")
    expect(len(asked) == 1, "one exchange is enough", 1, len(asked))
    again = [two for two in traffic.of(*PASSES) if two.identity == one.identity and two.ok]
    after = again and again[-1].at > asked[0].at
    expect(after, "the refused request is sent again with the new one", "again", "never")


@judges("client/guided/chunk-length", "guided")
def chunk_length(traffic: Traffic) -> None:
    need(traffic.release >= 25, "releases before 0.25 cut batches by limits of their own")
    data_of(traffic)
    sizes = [len((one.asked.get("input") or {}).get("data") or ()) for one in traffic.of(*PASSES)]
    expect(max(sizes) <= MOST, "no request has more data than the server wants", MOST, sizes)


@judges("client/guided/compressed", "guided")
def compressed(traffic: Traffic) -> None:
    need(traffic.release >= 25, "releases before 0.25 send JSON")
    sent = traffic.of(*PASSES)
    need(sent, "no training request was made")
    plain = [one.operation for one in sent if one.headers.get("content-encoding") != "zstd"]
    expect(not plain, "training requests are compressed where asked", "zstd", plain[:3])


@judges("client/guided/one-poll", "guided")
def one_poll(traffic: Traffic) -> None:
    need(traffic.release >= 26, "releases before 0.26 poll for each sample")
    need(traffic.of("asample"), "nothing was sampled")
    expect(traffic.of("retrieve_futures"), "samples are waited for together", "one poll", "none")
