"""K2's rules at a server's own text endpoints, if it offers a Kimi model there."""

from tinker_mock.contracts.ledger import load_ledger
from tinker_mock.suite.core.context import Stage
from tinker_mock.suite.core.scenario import scenario
from tinker_mock.suite.core.verdict import Status, Unmet, Verdict
from tinker_mock.suite.providers.judge import CHAPTER, Judge, load_requests
from tinker_mock.suite.providers.provider import Provider

TEXT = "/oai/api/v1"
ANSWERS = (
    "kimi/trigger/f1",
    "kimi/schema/accuracy",
    "kimi/ids/form",
    "kimi/finish/with-calls",
    "kimi/finish/without-calls",
    "kimi/markers/content",
    "kimi/markers/reasoning",
    "kimi/stream/events",
    "kimi/stream/done",
    "kimi/stream/fragments",
    "kimi/stream/usage",
    "kimi/stream/same",
)
LOOP = ("kimi/loop/calls", "kimi/loop/answer", "kimi/ids/counter")
CUT = ("kimi/finish/cut",)


@scenario("kimi/answers", *ANSWERS, reads_only=True)
def answers(stage: Stage) -> None:
    """A few of the provider requests, whole and streamed."""
    judge = judge_of(stage, ANSWERS)
    if judge is not None:
        judge.answers([row for row in load_requests() if row.get("short")])
        finish(stage, judge)


@scenario("kimi/loop", *LOOP, reads_only=True)
def loop(stage: Stage) -> None:
    """Two questions, two tools, one conversation."""
    judge = judge_of(stage, LOOP)
    if judge is not None:
        judge.conversation(load_requests())
        finish(stage, judge)


@scenario("kimi/cut", *CUT, reads_only=True)
def cut(stage: Stage) -> None:
    """A limit of two tokens."""
    judge = judge_of(stage, CUT)
    if judge is not None:
        judge.cut(load_requests())
        finish(stage, judge)


def judge_of(stage: Stage, checks: tuple[str, ...]) -> Judge | None:
    """A judge of the server's Kimi model; None, and n/a for the checks, where there is none."""
    chapter = [rule for rule in load_ledger().values() if rule.chapter == CHAPTER]
    rules = {check: rule for rule in chapter for check in rule.checks if check in checks}
    model = kimi_model(stage)
    if model is None:
        for check, rule in rules.items():
            told = "the server offers no Kimi model at text endpoints"
            verdict = Verdict(check, rule, Status.NOT_APPLICABLE, told, scenario=stage.scenario)
            stage.verdicts[check] = verdict
        return None
    provider = Provider(stage.target.url.rstrip("/") + TEXT, model, stage.target.key)
    stage.later(provider.close)
    return Judge(provider, rules)


def kimi_model(stage: Stage) -> str | None:
    """The first Kimi model at the text endpoints."""
    try:
        listed = stage.hands.call("list_text_models").require(200).at("/data")
    except Unmet:
        return None
    names = [str(one.get("id")) for one in listed]
    return next((name for name in names if "kimi" in name.lower()), None)


def finish(stage: Stage, judge: Judge) -> None:
    """The judge's verdicts become the scenario's."""
    for verdict in judge.verdicts:
        verdict.scenario = stage.scenario
        stage.verdicts[verdict.check] = verdict
