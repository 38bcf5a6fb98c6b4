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
        page = paged(context, operation, pointer, len(found), size)
        found += page
        if not page:
            break
    return found


def paged(
    context: ScenarioContext, operation: str, pointer: str, offset: int, limit: int
) -> list[Any]:
    """One page."""
    query = {"limit": str(limit), "offset": str(offset)}
    return list(context.client.call(operation, query=query).require().at(pointer))


def judge_tiles(context: ScenarioContext, operation: str, pointer: str) -> None:
    """Unmet unless the pages of the newest entries lie side by side.

    Others may add to the list meanwhile: it counts when it was the same before and after.
    """
    for _ in range(6):
        before = named(paged(context, operation, pointer, 0, 6))
        pages = [named(paged(context, operation, pointer, at, 2)) for at in (0, 2, 4)]
        after = named(paged(context, operation, pointer, 0, 6))
        if before == after:
            parts = [one for page in pages for one in page]
            expect_equal(parts, before, "three pages of two are one page of six")
            return


def named(entries: list[Any]) -> list[str]:
    """What tells entries of a list apart."""
    keys = ("training_run_id", "tinker_path")
    return [
        next((str(one[key]) for key in keys if key in one), str(one))
        if isinstance(one, dict)
        else str(one)
        for one in entries
    ]


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
        if not any(counts):
            raise Inapplicable("the newest are not first (sessions/list/newest-first says so)")
        expect(min(counts) >= 1, "no session is between two pages", "each", counts)
        judge_tiles(context, "list_sessions", "/sessions")


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
        judge_tiles(context, "list_training_runs", "/training_runs")
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
        judge_tiles(context, "list_user_checkpoints", "/checkpoints")


@scenario("models/effects")
def models(context: ScenarioContext) -> None:
    """Models are of the base, the rank and the seed they were asked for, and apart."""
    bench = Bench(context)
    one, two = bench.fresh(), bench.fresh()
    with context.check("models/create/separate"):
        trained(one)
        bench.same(two.look(), bench.base, "training one leaves the other alone")
    with context.check("models/create/seed-trained"):
        trained(two)
        bench.same(two.look(), one.look(), "equal seeds train alike")
    with context.check("models/create/parts-effect"):
        parts = {"rank": 8, "seed": 1, "train_mlp": False}
        part = Trainee(context, context.model(bench.session, lora_config=parts))
        trained(part)
        worst = bench.tolerance.worst(part.look(), one.look())
        expect(worst > 1, "a part that is not trained does not move the model", "less", worst)
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


def trained(model: Trainee) -> None:
    """One step at an everyday rate."""
    model.gather([bodies.datum(*TEXT)])
    model.step(2e-4, **SIGNS)


def another_base(context: ScenarioContext) -> str:
    """Another trainable base model on offer; Inapplicable when there is none."""
    offered = context.client.call("get_server_capabilities").require().at("/supported_models")
    own = context.named_model()
    for one in offered:
        name = str(one.get("model_name") or "")
        if name and name != own and one.get("trainable") is not False and ":" not in name:
            return name
    raise Inapplicable("the server offers a single model")
