"""K2's rules at a server's own text endpoints, if it offers a Kimi model there."""

from tinker_mock.contracts.ledger import requirement_of
from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.verdict import Inapplicable, Unmet
from tinker_mock.suite.providers.judge import Judge, load_requests
from tinker_mock.suite.providers.provider import Provider
from tinker_mock.suite.server.scenario import scenario

TEXT = "/oai/api/v1"


@scenario("kimi/answers", reads_only=True, judged_by=Judge.answers)
def answers(context: ScenarioContext) -> None:
    """A few of the provider requests, whole and streamed."""
    judge = judge_of(context)
    judge.answers([row for row in load_requests() if row.get("short")])
    finish(context, judge)


@scenario("kimi/loop", reads_only=True, judged_by=Judge.conversation)
def loop(context: ScenarioContext) -> None:
    """Two questions, two tools, one conversation."""
    judge = judge_of(context)
    judge.conversation(load_requests())
    finish(context, judge)


@scenario("kimi/forced", reads_only=True, judged_by=Judge.forced)
def forced(context: ScenarioContext) -> None:
    """A history of another provider's ids, and a tool that must be called."""
    judge = judge_of(context)
    judge.forced(load_requests())
    finish(context, judge)


@scenario("kimi/cut", reads_only=True, judged_by=Judge.cut)
def cut(context: ScenarioContext) -> None:
    """A limit of two tokens."""
    judge = judge_of(context)
    judge.cut(load_requests())
    finish(context, judge)


def judge_of(context: ScenarioContext) -> Judge:
    """A judge of the server's first Kimi model; Inapplicable where there is none."""
    try:
        listed = context.client.call("list_text_models").require(200).at("/data")
    except Unmet:
        listed = []
    names = [str(one.get("id")) for one in listed]
    model = next((name for name in names if "kimi" in name.lower()), None)
    if model is None:
        raise Inapplicable("the server offers no Kimi model at text endpoints")
    provider = Provider(context.target.url.rstrip("/") + TEXT, model, context.target.key)
    context.later(provider.close)
    return Judge(provider, requirement_of())


def finish(context: ScenarioContext, judge: Judge) -> None:
    """The judge's verdicts become the scenario's."""
    for verdict in judge.verdicts:
        verdict.scenario = context.scenario
        context.verdicts[verdict.check] = verdict
