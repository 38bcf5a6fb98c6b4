"""Whether a client does what a server's flags ask of it: compressed requests, one poll for all."""

from tinker_mock.suite.client.calls import PASSES
from tinker_mock.suite.client.judging import judges, need
from tinker_mock.suite.client.traffic import Traffic
from tinker_mock.suite.core.verdict import expect


@judges("client/guided/compressed", "guided")
def compressed(traffic: Traffic) -> None:
    sent = traffic.of(*PASSES)
    need(sent, "no training request was made")
    plain = [one.operation for one in sent if one.headers.get("content-encoding") != "zstd"]
    expect(not plain, "training requests are compressed where asked", "zstd", plain[:3])


@judges("client/guided/one-poll", "guided")
def one_poll(traffic: Traffic) -> None:
    need(traffic.of("asample"), "nothing was sampled")
    expect(traffic.of("retrieve_futures"), "samples are waited for together", "one poll", "none")
