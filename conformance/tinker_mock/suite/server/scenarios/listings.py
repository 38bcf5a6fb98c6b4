"""Lists in order and in whole pages, models apart from each other."""

from typing import Any

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.verdict import Inapplicable, expect, expect_equal
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.bench import SIGNS, TEXT, Bench, Trainee
from tinker_mock.suite.server.scenario import scenario

SCANNED = 60
"""Entries that are asked for one page at a time: what was made here is among the newest."""


def walked(context: ScenarioContext, operation: str, pointer: str, size: int) -> list[Any]:
    """The newest entries of a list, in pages of `size`."""
    found: list[Any] = []
    while len(found) < SCANNED:
        query = {"limit": str(size), "offset": str(len(found))}
        page = context.client.call(operation, query=query).require().at(pointer)
        found += page
        if not page:
            break
    return found


@scenario("sessions/order")
def session_order(context: ScenarioContext) -> None:
    """Sessions come newest first, each once."""
    made = [context.session() for _ in range(3)]
    with context.check("sessions/list/newest-first"):
        query = {"limit": "100", "offset": "0"}
        listed = context.client.call("list_sessions", query=query).require().at("/sessions")
        mine = [one for one in listed if one in made]
        expect_equal(mine, made[::-1], "the newest first")
    with context.check("sessions/list/pages"):
        pages = walked(context, "list_sessions", "/sessions", 2)
        counts = [pages.count(one) for one in made]
        expect(min(counts) >= 1, "no session is between two pages", "each", counts)
        expect(len(pages) - len(set(pages)) <= len(pages) // 3, "none comes again and again", "once", pages)


@scenario("runs/order")
def run_order(context: ScenarioContext) -> None:
    """Runs come newest first, each once, with their newest checkpoint."""
    session = context.session()
    made = [context.model(session) for _ in range(3)]
    with context.check("runs/list/newest-first"):
        query = {"limit": "100", "offset": "0"}
        listed = context.client.call("list_training_runs", query=query).require()
        names = [one["training_run_id"] for one in listed.at("/training_runs")]
        expect_equal([one for one in names if one in made], made[::-1], "the newest first")
    with context.check("runs/list/whole"):
        pages = walked(context, "list_training_runs", "/training_runs", 2)
        names = [one["training_run_id"] for one in pages]
        expect(all(one in names for one in made), "no run is between two pages", made, names[:12])
        expect(len(names) - len(set(names)) <= len(names) // 3, "none comes again and again", "once", names)
    with context.check("runs/get/newest-checkpoint"):
        for name, number in (("one", 1), ("two", 2)):
            saved = context.submit("save_weights", bodies.save(made[0], number, name)).result()
            context.delete_checkpoint_later(str(saved.at("/path")))
        run = context.client.call("get_training_run", path={"run_id": made[0]}).require()
        path = run.at("/last_checkpoint/tinker_path")
        expect_equal(path, f"tinker://{made[0]}/weights/two", "the one that was saved last")
    with context.check("checkpoints/all/whole"):
        pages = walked(context, "list_user_checkpoints", "/checkpoints", 1)
        paths = [one["tinker_path"] for one in pages]
        mine = [f"tinker://{made[0]}/weights/{name}" for name in ("one", "two")]
        expect(all(one in paths for one in mine), "no checkpoint is between pages", mine, paths[:9])


@scenario("models/effects")
def models(context: ScenarioContext) -> None:
    """Models are of the base, the rank and the seed they were asked for, and apart."""
    bench = Bench(context)
    one, two = bench.fresh(), bench.fresh()
    with context.check("models/create/separate"):
        one.gather([bodies.datum(*TEXT)])
        one.step(bench.signs, **SIGNS)
        bench.same(two.look(), bench.base, "training one leaves the other alone")
    with context.check("models/create/seed-trained"):
        for model in (two, bench.fresh()):
            if model is not two:
                two = model
            model.gather([bodies.datum(*TEXT)])
            model.step(bench.signs, **SIGNS)
        bench.same(two.look(), one.look(), "equal seeds train alike")
    with context.check("models/info/rank"):
        for rank in (4, 16):
            name = context.model(bench.session, lora_config={"rank": rank, "seed": 1})
            told = context.client.call("get_info", {"model_id": name, "type": "get_info"})
            expect_equal(told.require().at("/lora_rank"), rank, "the rank that was asked for")
    with context.check("models/create/base-model"):
        other = another_base(context)
        name = context.model(bench.session, base_model=other)
        seen = Trainee(context, name).look()
        worst = bench.tolerance.worst(seen, bench.base, 1.0)
        expect(worst > 1, f"{other} is another model", "other numbers", seen.tolist())
    if not context.applies("models/unload/effect"):
        return
    with context.check("models/unload/effect"):
        body = {"model_id": one.model, "type": "unload_model"}
        context.submit("unload_model", body).result()
        work = bodies.forward(one.model, context.number(one.model))
        expect(context.submit("forward", work).outcome().failed, "it does no more work", "refused")


def another_base(context: ScenarioContext) -> str:
    """Another trainable base model on offer; Inapplicable when there is none."""
    offered = context.client.call("get_server_capabilities").require().at("/supported_models")
    own = context.named_model()
    for one in offered:
        name = str(one.get("model_name") or "")
        if name and name != own and one.get("trainable") is not False and ":" not in name:
            return name
    raise Inapplicable("the server offers a single model")
