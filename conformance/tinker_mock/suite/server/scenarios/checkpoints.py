"""Checkpoints: listed, published, given a lifetime, downloaded, deleted."""

from datetime import UTC, datetime
from itertools import islice
from typing import Any

from tinker_mock.suite.core.context import ScenarioContext, place
from tinker_mock.suite.core.verdict import (
    MOMENT,
    Inapplicable,
    Lacking,
    Unmet,
    expect,
    expect_equal,
)
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.paging import listed as on_a_page
from tinker_mock.suite.server.paging import two_pages
from tinker_mock.suite.server.scenario import scenario
from tinker_mock.suite.server.wire_checks import MISSING

EXTERNAL = 28
"""The release that brought external checkpoints."""


def checkpoint(context: ScenarioContext, name: str = "kept", **fields: Any) -> tuple[str, str]:
    """A new run and the path of a checkpoint of it."""
    model = context.model()
    made = context.submit("save_weights", bodies.save(model, 1, name, **fields)).result()
    path = str(made.at("/path"))
    context.delete_checkpoint_later(path)
    return model, path


def listed(context: ScenarioContext, model: str) -> list[dict[str, Any]]:
    """The run's checkpoints."""
    reply = context.client.call("list_run_checkpoints", path={"run_id": model}).require()
    return list(reply.at("/checkpoints"))


def entry(context: ScenarioContext, model: str, path: str) -> dict[str, Any]:
    """The list entry of one checkpoint; Unmet if there is none."""
    entries = listed(context, model)
    for one in entries:
        if one.get("tinker_path") == path:
            return one
    raise Unmet("the checkpoint is listed", path, entries)


@scenario("checkpoints/listing")
def listing(context: ScenarioContext) -> None:
    """What was saved can be found."""
    tagged = context.applies("checkpoints/list/metadata")
    fields: dict[str, Any] = {"user_metadata": {"step": "1"}} if tagged else {}
    model, path = checkpoint(context, **fields)
    with context.check("checkpoints/list/contains"):
        entry(context, model, path)
    found = entry(context, model, path)
    with context.check("checkpoints/list/id-form"):
        expect_equal(found.get("checkpoint_id"), "weights/kept", "kind/name")
    with context.check("checkpoints/list/type"):
        expect_equal(found.get("checkpoint_type"), "training", "its type")
    with context.check("checkpoints/list/time"):
        moment = moment_of(found.get("time"))
        if moment.tzinfo is None:
            raise Lacking(MOMENT, "RFC 3339", found, whole=True)
        age = abs((datetime.now(UTC) - moment).total_seconds())
        expect(age < 3600, "when it was saved, which is now", datetime.now(UTC), moment)
    with context.check("checkpoints/list/base-model"):
        told = found.get("base_model", context.named_model())
        expect_equal(told, context.named_model(), "the base model that was trained")
    with context.check("checkpoints/list/size"):
        size = found.get("size_bytes")
        expect(isinstance(size, int) and size > 0, "a size in bytes", "> 0", size)
    with context.check("checkpoints/list/private"):
        expect(not found.get("public"), "private until published", False, found)
    with context.check("checkpoints/list/metadata"):
        expect_equal(found.get("user_metadata"), {"step": "1"}, "metadata is kept")
    with context.check("checkpoints/list/both-kinds"):
        made = context.submit("save_weights_for_sampler", bodies.save_sampler(model, 2, path="s"))
        other = str(made.result().at("/path"))
        context.delete_checkpoint_later(other)
        expect_equal(entry(context, model, other).get("checkpoint_type"), "sampler", "its type")
    with context.check("checkpoints/list/unknown-run"):
        where = {"run_id": "no-such-run"}
        context.client.call("list_run_checkpoints", path=where).require(404)
    everything(context, model, path)


def moment_of(text: object) -> datetime:
    """A timestamp of the wire."""
    try:
        return datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError as error:
        raise Unmet("a timestamp", "RFC 3339", text) from error


def everything(context: ScenarioContext, model: str, path: str) -> None:
    """The list over all runs, in pages."""
    ask = {"limit": "100", "offset": "0"}
    reply = context.client.call("list_user_checkpoints", query=ask)
    with context.check("checkpoints/all/contains"):
        where = ("list_user_checkpoints", "/checkpoints")
        there = on_a_page(context, *where, lambda one: one.get("tinker_path") == path)
        expect(there, "the checkpoint is listed", path, "on no page")
    with context.check("checkpoints/all/cursor"):
        total = reply.require().at("/cursor/total_count")
        count = len(reply.at("/checkpoints"))
        expect(type(total) is int and total >= count, "total_count", f">= {count}", total)
        short = context.client.call("list_user_checkpoints", query={"limit": "1", "offset": "0"})
        whole = short.require().at("/cursor/total_count")
        # Others may delete theirs meanwhile: what is counted on are the run's own.
        own = [one for one in reply.at("/checkpoints") if model in str(one.get("tinker_path"))]
        expect(whole >= len(own), "the count is that of the list, not of a page", own, whole)
    with context.check("checkpoints/all/limit"):
        one = context.client.call("list_user_checkpoints", query={"limit": "1", "offset": "0"})
        expect_equal(len(one.require().at("/checkpoints")), 1, "limit=1 gives one")
    with context.check("checkpoints/all/pages"):
        where = ("list_user_checkpoints", "/checkpoints/0/tinker_path")
        first, second = two_pages(context, *where)
        expect(first != second, "offset moves on", "another checkpoint", first)
    with context.check("checkpoints/all/no-external-for-old"):
        if context.target.sdk.last >= EXTERNAL:
            body = {"model_id": model, "path": "x", "seq_id": 3, "type": "save_weights_external"}
            made = context.submit("save_weights_external", body).outcome()
            if not made.failed:
                context.delete_checkpoint_later(str(made.at("/path")))
        kinds = {one.get("checkpoint_type") for one in listed(context, model)}
        expect("external" not in kinds, "none that this release rejects", "", kinds)


@scenario("checkpoints/publishing")
def publishing(context: ScenarioContext) -> None:
    """A checkpoint is shown to everybody, and hidden again."""
    model, path = checkpoint(context)
    where = place(path)
    with context.check("checkpoints/publish/unknown"):
        lost = context.client.call("publish_checkpoint", path={**where, "name": "none"})
        expect_equal(lost.status, 404, "not found")
    with context.check("checkpoints/publish/unknown-not-5xx"):
        expect(400 <= lost.status < 500 and lost.status != 408, "final", "4xx", lost.status)
    shown = context.client.call("publish_checkpoint", path=where)
    with context.check("checkpoints/publish/accepted"):
        shown.require()
    if shown.status in MISSING:
        raise Inapplicable("nothing is published here (checkpoints/publish/accepted says so)")
    with context.check("checkpoints/publish/public"):
        expect_equal(entry(context, model, path).get("public"), True, "public")
    with context.check("checkpoints/publish/stranger-reads"):
        context.other_tenant().call("get_weights_info", {"tinker_path": path}).require()
    with context.check("runs/list/accessible"):
        query = {"limit": "100", "offset": "0", "access_scope": "accessible"}
        seen = context.other_tenant().call("list_training_runs", query=query).require()
        runs = [one.get("training_run_id") for one in seen.at("/training_runs")]
        expect(model in runs, "a run with a published checkpoint is accessible to all", model, runs)
    with context.check("checkpoints/unpublish/accepted"):
        context.client.call("unpublish_checkpoint", path=where).require()
    with context.check("checkpoints/unpublish/still-there"):
        entry(context, model, path)
    with context.check("checkpoints/unpublish/private"):
        expect(not entry(context, model, path).get("public"), "private again", False)


@scenario("checkpoints/lifetime")
def lifetime(context: ScenarioContext) -> None:
    """Checkpoints end by themselves or on request."""
    model, path = checkpoint(context)
    where = place(path)
    reply = context.client.call("set_checkpoint_ttl", {"ttl_seconds": 7200}, path=where)
    with context.check("checkpoints/ttl/set"):
        reply.require()
    saved = context.submit("save_weights", bodies.save(model, 2, "gone")).result()
    deletion(context, model, str(saved.at("/path")))
    if reply.status in MISSING:
        raise Inapplicable("there are no lifetimes here (checkpoints/ttl/set says so)")
    lifetimes(context, model, path)


def lifetimes(context: ScenarioContext, model: str, path: str) -> None:
    """Two hours to live, for ever again, too short."""
    where = place(path)
    with context.check("checkpoints/ttl/expires-at"):
        left = moment_of(entry(context, model, path).get("expires_at")) - datetime.now(UTC)
        seconds = left.total_seconds()
        expect(6900 < seconds < 7500, "two hours from now", "7200 s", f"{seconds:.0f} s")
    with context.check("checkpoints/ttl/remove"):
        context.client.call("set_checkpoint_ttl", {"ttl_seconds": None}, path=where).require()
        expect_equal(entry(context, model, path).get("expires_at"), None, "for ever again")
    with context.check("checkpoints/ttl/too-short"):
        short = context.client.call(
            "set_checkpoint_ttl", {"ttl_seconds": 1}, path=where, wrong=True
        )
        expect(400 <= short.status < 500, "less than an hour is refused", "4xx", short.status)
    with context.check("checkpoints/ttl/unknown"):
        lost = {**where, "name": "none"}
        context.client.call("set_checkpoint_ttl", {"ttl_seconds": 7200}, path=lost).require(404)


def deletion(context: ScenarioContext, model: str, path: str) -> None:
    """Deleted, and not there any more."""
    where = place(path)
    with context.check("checkpoints/delete/accepted"):
        context.client.call("delete_checkpoint", path=where).require()
    with context.check("checkpoints/delete/gone"):
        paths = [one.get("tinker_path") for one in listed(context, model)]
        expect(path not in paths, "no longer listed", "absent", paths)
    with context.check("checkpoints/delete/again"):
        context.client.call("delete_checkpoint", path=where).require(404)


@scenario("checkpoints/archive")
def archive(context: ScenarioContext) -> None:
    """A checkpoint as one file."""
    _, path = checkpoint(context)
    where = place(path)
    headers = {"accept": "application/gzip"}
    reply = context.client.call("get_checkpoint_archive", path=where, headers=headers)
    with context.check("checkpoints/archive/redirect"):
        expect_equal(reply.status, 302, "a redirect, which every release follows")
    with context.check("checkpoints/archive/location"):
        location = reply.require(302).headers.get("location", "")
        expect("://" in location, "an absolute URL", "https://", location)
    with context.check("checkpoints/archive/expires"):
        text = reply.require(302).headers.get("expires", "")
        try:
            end = datetime.strptime(text, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
        except ValueError as error:
            raise Unmet("Expires is an HTTP date", "Sat, 01 Jan 2028 00:00:00 GMT", text) from error
        expect(end > datetime.now(UTC), "it has not expired when it is given", "later", text)
    with context.check("checkpoints/archive/download"):
        url = str(reply.require(302).headers.get("location", ""))
        expect(context.fetch(url), "an archive", "bytes", "nothing")
    with context.check("checkpoints/archive/part"):
        url = str(reply.require(302).headers.get("location", ""))
        whole = context.fetch(url)[:64]
        part = b"".join(islice(context.fetched(url, {"range": "bytes=10-19"}), 2))
        fine = part[:64] in (whole, whole[10:20])
        expect(fine, "the part that was asked for, or all of it", whole[10:20], part[:64])
    with context.check("checkpoints/archive/unknown"):
        lost = {**where, "name": "none"}
        context.client.call("get_checkpoint_archive", path=lost, headers=headers).require(404)
