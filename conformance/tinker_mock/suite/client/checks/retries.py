"""How a client deals with trouble: what it repeats, how, and what it gives up."""

from collections.abc import Callable
from itertools import pairwise

from tinker_mock.suite.client.checks.requests import polls_by_id
from tinker_mock.suite.client.judging import judges, need
from tinker_mock.suite.client.traffic import Conversation, Said
from tinker_mock.suite.core.verdict import expect, expect_equal

TRAINING = ("forward", "forward_backward")
TROUBLES = {
    "unavailable": ((*TRAINING, "optim_step", "asample"), (503,)),
    "throttled": ((*TRAINING, "asample"), (429,)),
}


def pairs(conversation: Conversation) -> list[tuple[Said, Said | None]]:
    """Refused submissions with their repetition."""
    operations, statuses = TROUBLES[conversation.circumstance]
    found = conversation.repeats(operations, *statuses)
    need(found, "no submission was refused")
    return found


def repeated(conversation: Conversation) -> None:
    """Every refused submission is sent again."""
    left = [one.operation for one, again in pairs(conversation) if again is None]
    expect(not left, "a refused submission is sent again", "again", left)


def same_body(conversation: Conversation) -> None:
    """The repetition is the same request, number included."""
    for one, again in pairs(conversation):
        if again is not None and one.ordered:
            expect_equal(again.body.get("seq_id"), one.body.get("seq_id"), "the same seq_id")


def backs_off(conversation: Conversation) -> None:
    """The repetition waits a moment."""
    waits = [again.at - one.until for one, again in pairs(conversation) if again is not None]
    expect(min(waits, default=1.0) > 0.2, "a pause before the repetition", "> 0.2 s", waits)


def succeeds(conversation: Conversation) -> None:
    """The program gets over it."""
    said = f"the program gets over it: {conversation.output[-300:]}"
    expect_equal(conversation.exit_code, 0, said)


def bounded(conversation: Conversation) -> None:
    """No storm of requests."""
    expect(len(conversation.said) < 2000, "no storm of requests", "< 2000", len(conversation.said))


EVERYWHERE: dict[str, Callable[[Conversation], None]] = {"succeeds": succeeds, "bounded": bounded}
for circumstance in TROUBLES:
    judges(f"client/{circumstance}/repeats", circumstance)(repeated)
    judges(f"client/{circumstance}/same-number", circumstance)(same_body)
    judges(f"client/{circumstance}/backs-off", circumstance)(backs_off)
for circumstance in ("pending", "unavailable", "throttled", "lost", "ill", "noise", "gone"):
    for name, judge in EVERYWHERE.items():
        judges(f"client/{circumstance}/{name}", circumstance)(judge)


@judges("client/unavailable/same-key", "unavailable")
def same_key(conversation: Conversation) -> None:
    name = "x-idempotency-key"
    kept_by_call = [(a, b) for a, b in pairs(conversation) if b and a.operation != "asample"]
    told = [(a.headers.get(name), b.headers.get(name)) for a, b in kept_by_call]
    need(any(key for key, _ in told), "no idempotency keys")
    kept = [old == new for old, new in told if old]
    expect(all(kept), "repetitions of one call keep its idempotency key", "the same", told[:3])


@judges("client/unavailable/counts", "unavailable")
def counts(conversation: Conversation) -> None:
    name = "x-stainless-retry-count"
    told = [b.headers.get(name) for _, b in pairs(conversation) if b and b.operation != "asample"]
    need(any(told), "no retry counts")
    expect(all(count not in (None, "0") for count in told), "repetitions count", ">= 1", told)


@judges("client/throttled/retry-after", "throttled")
def retry_after(conversation: Conversation) -> None:
    waits = [b.at - a.until for a, b in pairs(conversation) if b]
    need(waits, "nothing was repeated")
    expect(min(waits) > 0.7, "retry-after is honoured (with up to 25 % jitter)", ">= 0.75 s", waits)


@judges("client/lost/repeats", "lost")
def lost_repeats(conversation: Conversation) -> None:
    lost = [one for one in conversation.said if "lose" in str(one.entry.get("effects"))]
    need(lost, "no answer was lost")
    for one in lost:
        again = [two for two in conversation.said if two.identity == one.identity and two.ok]
        expect(again, "work whose answer was lost is sent again", one.operation, "never")


@judges("client/lost/same-number", "lost")
def lost_same_number(conversation: Conversation) -> None:
    lanes: dict[tuple[object, object], set[str]] = {}
    for one in conversation.ordered:
        lanes.setdefault((one.body.get("model_id"), one.body.get("seq_id")), set()).add(
            one.operation
        )
    need(lanes, "no model was trained")
    mixed = {key: names for key, names in lanes.items() if len(names) > 1}
    expect(not mixed, "a number keeps its operation", "one operation a number", mixed)


@judges("client/pending/polls-again", "pending")
def polls_again(conversation: Conversation) -> None:
    need(conversation.polls, "nothing was polled")
    for request, polls in polls_by_id(conversation).items():
        expect(polls[-1].ok, f"{request}: asked until there is a result", "200", polls[-1].status)


@judges("client/pending/soon", "pending")
def polls_soon(conversation: Conversation) -> None:
    gaps = poll_gaps(conversation, 408)
    need(gaps, "nothing was pending")
    expect(max(gaps) < 5.0, "asks again within seconds", "< 5 s", max(gaps))


def poll_gaps(conversation: Conversation, *statuses: int) -> list[float]:
    """Seconds between a poll with such an answer and the next poll of the promise."""
    return [
        two.at - one.until
        for polls in polls_by_id(conversation).values()
        for one, two in pairwise(polls)
        if one.status in statuses
    ]


@judges("client/pending/not-resubmitted", "pending")
def not_resubmitted(conversation: Conversation) -> None:
    work = [one.identity for one in conversation.ordered if one.ok]
    need(work, "no model was trained")
    expect_equal(len(set(work)), len(work), "pending work is not submitted again")


@judges("client/ill/polls-again", "ill")
def ill_polls_again(conversation: Conversation) -> None:
    ill = [one for one in conversation.polls if one.status in (502, 503)]
    need(ill, "no poll was answered 5xx")
    for one in ill:
        later = [
            two
            for two in conversation.polls
            if two.body.get("request_id") == one.body.get("request_id") and two.at > one.at
        ]
        expect(later, "a poll that got 5xx is repeated", "again", one.body)


@judges("client/noise/polls-again", "noise")
def noise_polls_again(conversation: Conversation) -> None:
    need(conversation.release >= 15 or not conversation.release, "fatal for releases before 0.15")
    noisy = [polls for polls in polls_by_id(conversation).values() if polls[0].status == 400]
    need(noisy, "no poll was answered 400")
    expect(all(len(polls) > 1 for polls in noisy), "an empty 400 is repeated", "again", len(noisy))


@judges("client/gone/sampled-again", "gone")
def sampled_again(conversation: Conversation) -> None:
    gone = [one for one in conversation.polls if one.status == 410]
    need(gone, "no promise was gone")
    late = [one for one in conversation.of("asample") if one.at > gone[0].at]
    expect(late, "a sample whose promise is gone is asked for anew", "asample", "never")


@judges("client/gone/not-polled-on", "gone")
def not_polled_on(conversation: Conversation) -> None:
    gone = [one for one in conversation.polls if one.status == 410]
    need(gone, "no promise was gone")
    for one in gone:
        later = [
            two
            for two in conversation.polls
            if two.at > one.at and two.body.get("request_id") == one.body.get("request_id")
        ]
        expect(not later, "a promise that is gone is not asked for again", "never", len(later))


@judges("client/failing/not-repeated", "failing")
def not_repeated(conversation: Conversation) -> None:
    failed = [one for one in conversation.of(*TRAINING) if one.status == 400]
    need(failed, "no training request was made")
    identities = [one.identity for one in failed]
    expect_equal(len(set(identities)), len(identities), "a user's mistake is not repeated")


@judges("client/failing/reported", "failing")
def failing_reported(conversation: Conversation) -> None:
    need(conversation.of(*TRAINING), "no training request was made")
    expect(conversation.exit_code not in (0, None), "the program tells", "exit code > 0", 0)


@judges("client/failing/message", "failing")
def failing_message(conversation: Conversation) -> None:
    need(conversation.of(*TRAINING), "no training request was made")
    text = conversation.output
    expect("broken on purpose" in text, "the server's words reach the user", "detail", text[-300:])


@judges("client/failing/soon", "failing")
def failing_soon(conversation: Conversation) -> None:
    need(conversation.of(*TRAINING), "no training request was made")
    expect(conversation.exit_code is not None, "the program ends", "an end", "stopped")


@judges("client/denied/not-repeated", "denied")
def denied_not_repeated(conversation: Conversation) -> None:
    asked = conversation.of("create_session")
    need(asked, "no session was asked for")
    expect(len(asked) <= 2, "a refused credential is not tried again and again", "<= 2", len(asked))


@judges("client/denied/reported", "denied")
def denied_reported(conversation: Conversation) -> None:
    need(conversation.of("create_session"), "no session was asked for")
    expect(conversation.exit_code not in (0, None), "the program tells", "exit code > 0", 0)


@judges("client/denied/no-work", "denied")
def denied_no_work(conversation: Conversation) -> None:
    need(conversation.of("create_session"), "no session was asked for")
    expect(not conversation.submits, "no work without a session", "none", len(conversation.submits))
