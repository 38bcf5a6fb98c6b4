"""Whether a client tells what went wrong, and does not hide errors of its own."""

from tinker_mock.suite.client.checks.retries import succeeds
from tinker_mock.suite.client.judging import judges, need
from tinker_mock.suite.client.traffic import Traffic
from tinker_mock.suite.core.verdict import expect

TRACE = "Traceback (most recent call last)"


@judges("client/mistaken/told", "mistaken")
def mistakes_told(traffic: Traffic) -> None:
    made = [line for line in traffic.report if line["value"] == "mistake"]
    need(made, "the program reports no mistake (TINKER_MOCK_REPORT)")
    silent = [line["what"] for line in made if not line.get("told")]
    expect(not silent, "each mistake ends in an error", "told", silent[:5])
    succeeds(traffic)


def quiet(traffic: Traffic) -> None:
    """What a client gets over leaves no trace of an error of its own."""
    need(traffic.exit_code == 0, "the program did not succeed")
    told = traffic.output.partition(TRACE)[1:]
    shown = "".join(told)[:400]
    expect(not shown, "no error of the client's own is logged", "no traceback", shown)


for situation in ("healthy", "pending", "paused", "guided"):
    judges(f"client/{situation}/quiet", situation)(quiet)
