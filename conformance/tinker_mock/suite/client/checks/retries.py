"""How a client deals with trouble: what it repeats, how, and what it gives up."""

from collections.abc import Callable
from itertools import pairwise

from tinker_mock.suite.client.checks.requests import polls_by_id
from tinker_mock.suite.client.judging import judges, need
from tinker_mock.suite.client.traffic import RecordedExchange, Traffic
from tinker_mock.suite.core.verdict import expect, expect_equal

TRAINING = ("forward", "forward_backward")
TROUBLES = {
    "unavailable": ((*TRAINING, "optim_step", "asample"), (503,)),
    "throttled": ((*TRAINING, "asample"), (429,)),
}


def pairs(traffic: Traffic) -> list[tuple[RecordedExchange, RecordedExchange | None]]:
    """Refused submissions with their repetition."""
    operations, statuses = TROUBLES[traffic.situation]
    found = traffic.repeats(operations, *statuses)
    need(found, "no submission was refused")
    return found


def repeated(traffic: Traffic) -> None:
    """Every refused submission is sent again."""
    left = [one.operation for one, again in pairs(traffic) if again is None]
    expect(not left, "a refused submission is sent again", "again", left)


def same_body(traffic: Traffic) -> None:
    """The repetition is the same request, number included."""
    for one, again in pairs(traffic):
        if again is not None and one.ordered:
            expect_equal(again.body.get("seq_id"), one.body.get("seq_id"), "the same seq_id")


def backs_off(traffic: Traffic) -> None:
    """The repetition waits a moment."""
    waits = [again.at - one.until for one, again in pairs(traffic) if again is not None]
    expect(min(waits, default=1.0) > 0.2, "a pause before the repetition", "> 0.2 s", waits)


def succeeds(traffic: Traffic) -> None:
    """The program gets over it."""
    message = f"the program gets over it: {traffic.output[-300:]}"
    expect_equal(traffic.exit_code, 0, message)


def bounded(traffic: Traffic) -> None:
    """No storm of requests."""
    expect(len(traffic.exchanges) < 2000, "no storm of requests", "< 2000", len(traffic.exchanges))


EVERYWHERE: dict[str, Callable[[Traffic], None]] = {"succeeds": succeeds, "bounded": bounded}
for situation in TROUBLES:
    judges(f"client/{situation}/repeats", situation)(repeated)
    judges(f"client/{situation}/same-number", situation)(same_body)
    judges(f"client/{situation}/backs-off", situation)(backs_off)
for situation in (*TROUBLES, "pending", "lost", "ill", "noise", "gone", "busy", "guided", "unpaid"):
    for name, judge in EVERYWHERE.items():
        judges(f"client/{situation}/{name}", situation)(judge)


@judges("client/unavailable/same-key", "unavailable")
def same_key(traffic: Traffic) -> None:
    name = "x-idempotency-key"
    kept_by_call = [(a, b) for a, b in pairs(traffic) if b and a.operation != "asample"]
    keys = [(a.headers.get(name), b.headers.get(name)) for a, b in kept_by_call]
    need(any(key for key, _ in keys), "no idempotency keys")
    kept = [old == new for old, new in keys if old]
    expect(all(kept), "repetitions of one call keep its idempotency key", "the same", keys[:3])


@judges("client/unavailable/counts", "unavailable")
def counts(traffic: Traffic) -> None:
    name = "x-stainless-retry-count"
    counts = [b.headers.get(name) for _, b in pairs(traffic) if b and b.operation != "asample"]
    need(any(counts), "no retry counts")
    expect(all(count not in (None, "0") for count in counts), "repetitions count", ">= 1", counts)


@judges("client/throttled/retry-after", "throttled")
def retry_after(traffic: Traffic) -> None:
    waits = [b.at - a.until for a, b in pairs(traffic) if b]
    need(waits, "nothing was repeated")
    expect(min(waits) > 0.7, "retry-after is honoured (with up to 25 % jitter)", ">= 0.75 s", waits)


@judges("client/lost/repeats", "lost")
def lost_repeats(traffic: Traffic) -> None:
    lost = [one for one in traffic.exchanges if "lose" in one.effects]
    need(lost, "no answer was lost")
    for one in lost:
        again = [two for two in traffic.exchanges if two.identity == one.identity and two.ok]
        expect(again, "work whose answer was lost is sent again", one.operation, "never")


@judges("client/lost/same-number", "lost")
def lost_same_number(traffic: Traffic) -> None:
    lanes: dict[tuple[object, object], set[str]] = {}
    for one in traffic.ordered:
        lanes.setdefault((one.body.get("model_id"), one.body.get("seq_id")), set()).add(
            one.operation
        )
    need(lanes, "no model was trained")
    mixed = {key: names for key, names in lanes.items() if len(names) > 1}
    expect(not mixed, "a number keeps its operation", "one operation a number", mixed)


@judges("client/pending/polls-again", "pending")
def polls_again(traffic: Traffic) -> None:
    need(traffic.polls, "nothing was polled")
    for request, polls in polls_by_id(traffic).items():
        expect(polls[-1].ok, f"{request}: asked until there is a result", "200", polls[-1].status)


@judges("client/pending/soon", "pending")
def polls_soon(traffic: Traffic) -> None:
    gaps = poll_gaps(traffic, 408)
    need(gaps, "nothing was pending")
    expect(max(gaps) < 5.0, "asks again within seconds", "< 5 s", max(gaps))


def poll_gaps(traffic: Traffic, *statuses: int) -> list[float]:
    """Seconds between a poll with such an answer and the next poll of the promise."""
    return [
        two.at - one.until
        for polls in polls_by_id(traffic).values()
        for one, two in pairwise(polls)
        if one.status in statuses
    ]


@judges("client/pending/not-resubmitted", "pending")
def not_resubmitted(traffic: Traffic) -> None:
    work = [one.identity for one in traffic.ordered if one.ok]
    need(work, "no model was trained")
    expect_equal(len(set(work)), len(work), "pending work is not submitted again")


@judges("client/ill/polls-again", "ill")
def ill_polls_again(traffic: Traffic) -> None:
    ill = [one for one in traffic.polls if one.status in (502, 503) or "drop" in one.effects]
    need(ill, "no poll was answered 5xx")
    for one in ill:
        later = [
            two
            for two in traffic.polls
            if two.body.get("request_id") == one.body.get("request_id") and two.at > one.at
        ]
        expect(later, "a poll that got 5xx, or no answer, is repeated", "again", one.body)


@judges("client/noise/polls-again", "noise")
def noise_polls_again(traffic: Traffic) -> None:
    need(traffic.release >= 15 or not traffic.release, "fatal for releases before 0.15")
    noisy = [polls for polls in polls_by_id(traffic).values() if polls[0].status == 400]
    need(noisy, "no poll was answered 400")
    expect(all(len(polls) > 1 for polls in noisy), "an empty 400 is repeated", "again", len(noisy))


@judges("client/gone/sampled-again", "gone")
def sampled_again(traffic: Traffic) -> None:
    gone = [one for one in traffic.polls if one.status == 410]
    need(gone, "no promise was gone")
    late = [one for one in traffic.of("asample") if one.at > gone[0].at]
    expect(late, "a sample whose promise is gone is asked for anew", "asample", "never")


@judges("client/gone/not-polled-on", "gone")
def not_polled_on(traffic: Traffic) -> None:
    gone = [one for one in traffic.polls if one.status == 410]
    need(gone, "no promise was gone")
    for one in gone:
        later = [
            two
            for two in traffic.polls
            if two.at > one.at and two.body.get("request_id") == one.body.get("request_id")
        ]
        expect(not later, "a promise that is gone is not asked for again", "never", len(later))


@judges("client/failing/not-repeated", "failing")
def not_repeated(traffic: Traffic) -> None:
    failed = [one for one in traffic.of(*TRAINING) if one.status == 400]
    need(failed, "no training request was made")
    identities = [one.identity for one in failed]
    expect_equal(len(set(identities)), len(identities), "a user's mistake is not repeated")


@judges("client/failing/reported", "failing")
def failing_reported(traffic: Traffic) -> None:
    need(traffic.of(*TRAINING), "no training request was made")
    expect(traffic.exit_code not in (0, None), "the program tells", "exit code > 0", 0)


@judges("client/failing/message", "failing")
def failing_message(traffic: Traffic) -> None:
    need(traffic.of(*TRAINING), "no training request was made")
    text = traffic.output
    expect("broken on purpose" in text, "the server's words reach the user", "detail", text[-300:])


@judges("client/failing/soon", "failing")
def failing_soon(traffic: Traffic) -> None:
    need(traffic.of(*TRAINING), "no training request was made")
    expect(traffic.exit_code is not None, "the program ends", "an end", "stopped")


@judges("client/denied/not-repeated", "denied")
def denied_not_repeated(traffic: Traffic) -> None:
    asked = traffic.of("create_session")
    need(asked, "no session was asked for")
    expect(len(asked) <= 2, "a refused credential is not tried again and again", "<= 2", len(asked))


@judges("client/denied/reported", "denied")
def denied_reported(traffic: Traffic) -> None:
    need(traffic.of("create_session"), "no session was asked for")
    expect(traffic.exit_code not in (0, None), "the program tells", "exit code > 0", 0)


@judges("client/denied/no-work", "denied")
def denied_no_work(traffic: Traffic) -> None:
    need(traffic.of("create_session"), "no session was asked for")
    expect(not traffic.submits, "no work without a session", "none", len(traffic.submits))


@judges("client/failed/reported", "failed")
def failed_reported(traffic: Traffic) -> None:
    need(failures(traffic), "no operation failed")
    expect(traffic.exit_code not in (0, None), "the program tells", "exit code > 0", 0)


@judges("client/failed/message", "failed")
def failed_message(traffic: Traffic) -> None:
    words = [str(one.answer.get("error")) for one in failures(traffic)]
    need(words, "no operation failed")
    said = any(word in traffic.output for word in words)
    expect(said, "the server's words reach the user", words[0], traffic.output[-300:])


@judges("client/failed/not-repeated", "failed")
def failed_not_repeated(traffic: Traffic) -> None:
    ids = [one.body.get("request_id") for one in failures(traffic)]
    need(ids, "no operation failed")
    expect_equal(
        len(ids), len(set(ids)), "work that failed by the user's fault is not asked for again"
    )
    works = {one.identity for one in traffic.of("optim_step")}
    expect_equal(len(works), len(ids), "nor done again")


def failures(traffic: Traffic) -> list[RecordedExchange]:
    """Polls that were told of a failure."""
    return [one for one in traffic.polls if one.ok and one.answer.get("error")]
