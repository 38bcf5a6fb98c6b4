"""Finding checkpoints by what is known about them."""

from typing import Any

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.verdict import Inapplicable, Unmet, expect, expect_equal
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.scenario import scenario


@scenario("checkpoints/searching")
def searching(context: ScenarioContext) -> None:
    """Three checkpoints of one lot, by every filter and page by page."""
    project = project_of(context)
    session = context.session(**project)
    model = context.model(session)
    lot = {"lot": f"lot-{session}"}

    def search(**fields: Any) -> list[str]:
        body = {"user_metadata": lot, **fields}
        reply = context.client.call("search_checkpoints", body).require()
        return [str(one["tinker_path"]) for one in reply.at("/checkpoints")]

    if context.client.call("search_checkpoints", {}).status in (404, 405, 501):
        raise Inapplicable("the server does not search checkpoints")
    paths = []
    for name in ("first", "second"):
        body = bodies.save(model, context.number(model), name, user_metadata=lot)
        paths.append(str(context.submit("save_weights", body).result().at("/path")))
    body = bodies.save_sampler(model, context.number(model), path="third", user_metadata=lot)
    paths.append(str(context.submit("save_weights_for_sampler", body).result().at("/path")))
    for path in paths:
        context.delete_checkpoint_later(path)
    with context.check("checkpoints/search/by-metadata"):
        expect_equal(sorted(search()), sorted(paths), "all of the lot, and no others")
        expect_equal(search(user_metadata={"lot": "no-such-lot"}), [], "nothing of another lot")
        expect_equal(search(user_metadata={**lot, "colour": "red"}), [], "all that is asked for")
    with context.check("checkpoints/search/by-type"):
        expect_equal(search(checkpoint_type="sampler"), paths[2:], "the sampler's")
        expect_equal(sorted(search(checkpoint_type="training")), sorted(paths[:2]), "the others")
    with context.check("checkpoints/search/by-model"):
        own = search(base_models=[context.named_model()])
        expect_equal(sorted(own), sorted(paths), "those of the base model")
        expect_equal(search(base_models=["nobody/nothing"]), [], "none of another")
    with context.check("checkpoints/search/by-project"):
        if not project:
            raise Inapplicable("the server makes no project of a name")
        own = search(project_ids=[project["project_id"]])
        expect_equal(sorted(own), sorted(paths), "those of the session's project")
        other = project_of(context, "conformance-other")
        expect_equal(search(project_ids=[*other.values()]), [], "none of another project")
    with context.check("checkpoints/search/newest-first"):
        expect_equal(search(), paths[::-1], "the newest comes first")
    with context.check("checkpoints/search/pages"):
        first = context.client.call("search_checkpoints", {"user_metadata": lot, "limit": 2})
        found = [str(one["tinker_path"]) for one in first.require().at("/checkpoints")]
        expect_equal(len(found), 2, "limit=2 gives two")
        rest = search(limit=2, cursor=first.at("/next_cursor"))
        expect_equal(sorted(found + rest), sorted(paths), "the pages are everything, once")
    with context.check("checkpoints/search/private"):
        stranger = context.other_tenant().call("search_checkpoints", {"user_metadata": lot})
        seen = stranger.require().at("/checkpoints")
        expect(not seen, "a stranger finds none of them", [], seen)


def project_of(context: ScenarioContext, name: str = "conformance-searches") -> dict[str, str]:
    """A project for a session, where the server takes the name of one that was not made before."""
    project = {"project_id": name}
    try:
        context.session(**project)
    except Unmet:
        return {}
    return project
