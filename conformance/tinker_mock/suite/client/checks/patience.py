"""Whether a client waits before it asks again."""

from tinker_mock.suite.client.checks.retries import poll_gaps
from tinker_mock.suite.client.judging import judges, need
from tinker_mock.suite.client.traffic import RecordedExchange, Traffic
from tinker_mock.suite.core.verdict import expect


def pause(traffic: Traffic, operation: str, after: RecordedExchange, otherwise: str) -> float:
    """Seconds from an answer to the next request of an operation; Inapplicable without one."""
    later = [one.at for one in traffic.of(operation) if one.at > after.until]
    need(later, otherwise)
    return later[0] - after.until


@judges("client/busy/polls-again", "busy")
def busy_polls_again(traffic: Traffic) -> None:
    waits = poll_gaps(traffic, 429)
    refused = [one for one in traffic.polls if one.status == 429]
    need(refused, "no poll was refused")
    expect(len(waits) == len(refused), "a poll that got 429 is repeated", "again", "never")
    expect(min(waits) > 0.2, "a pause before the repetition", "> 0.2 s", waits)


@judges("client/gone/backs-off", "gone")
def gone_backs_off(traffic: Traffic) -> None:
    gone = [one for one in traffic.polls if one.status == 410]
    need(gone, "no promise was gone")
    wait = pause(traffic, "asample", gone[0], "it was not asked for anew")
    expect(wait > 0.2, "a pause before a sample is asked for anew", "> 0.2 s", wait)


@judges("client/unavailable/retry-after", "unavailable")
def retry_after(traffic: Traffic) -> None:
    steps = [one for one in traffic.of("optim_step") if one.status == 503]
    need(steps, "no step was made")
    wait = pause(traffic, "optim_step", steps[0], "it was not repeated")
    expect(wait > 1.4, "retry-after is honoured (with up to 25 % jitter)", ">= 1.5 s", wait)


@judges("client/unpaid/repeats", "unpaid")
def unpaid_repeats(traffic: Traffic) -> None:
    refused = [one for one in traffic.of("optim_step") if one.status == 402]
    need(refused, "no step was made")
    again = [one for one in traffic.of("optim_step") if one.identity == refused[0].identity]
    expect(len(again) > 1, "a step whose bill is due is sent again", "again", "never")
    wait = again[1].at - refused[0].until
    expect(wait > 1.0, "a pause for somebody to pay", "> 1 s", wait)
