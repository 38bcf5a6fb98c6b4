"""Whether a client waits before it asks again."""

from tinker_mock.suite.client.checks.retries import poll_gaps
from tinker_mock.suite.client.judging import judges, need
from tinker_mock.suite.client.traffic import Traffic
from tinker_mock.suite.core.verdict import expect


@judges("client/busy/polls-again", "busy")
def busy_polls_again(traffic: Traffic) -> None:
    need(traffic.release >= 21 or not traffic.release, "fatal for releases before 0.21")
    waits = poll_gaps(traffic, 429)
    refused = [one for one in traffic.polls if one.status == 429]
    need(refused, "no poll was refused")
    expect(len(waits) == len(refused), "a poll that got 429 is repeated", "again", "never")
    expect(min(waits) > 0.2, "a pause before the repetition", "> 0.2 s", waits)


@judges("client/gone/backs-off", "gone")
def gone_backs_off(traffic: Traffic) -> None:
    gone = [one for one in traffic.polls if one.status == 410]
    need(gone, "no promise was gone")
    late = [one.at for one in traffic.of("asample") if one.at > gone[0].until]
    need(late, "it was not asked for anew")
    wait = late[0] - gone[0].until
    expect(wait > 0.2, "a pause before a sample is asked for anew", "> 0.2 s", wait)
