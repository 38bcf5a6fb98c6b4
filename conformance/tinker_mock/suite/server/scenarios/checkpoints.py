"""Checkpoints: listed, published, given a lifetime, downloaded, deleted."""

from datetime import UTC, datetime
from typing import Any

from tinker_mock.suite.core import bodies
from tinker_mock.suite.core.context import Stage, place
from tinker_mock.suite.core.paging import listed as on_a_page
from tinker_mock.suite.core.paging import two_pages
from tinker_mock.suite.core.scenario import scenario
from tinker_mock.suite.core.verdict import Unmet, expect, expect_equal

EXTERNAL = 28
"""The release that brought external checkpoints."""


def checkpoint(stage: Stage, name: str = "kept", **fields: Any) -> tuple[str, str]:
    """A new run and the path of a checkpoint of it."""
    model = stage.model()
    made = stage.submit("save_weights", bodies.save(model, 1, name, **fields)).result()
    path = str(made.at("/path"))
    stage.delete_checkpoint_later(path)
    return model, path


def listed(stage: Stage, model: str) -> list[dict[str, Any]]:
    """The run's checkpoints."""
    reply = stage.hands.call("list_run_checkpoints", path={"run_id": model}).require()
    return list(reply.at("/checkpoints"))


def entry(stage: Stage, model: str, path: str) -> dict[str, Any]:
    """The list entry of one checkpoint; Unmet if there is none."""
    entries = listed(stage, model)
    for one in entries:
        if one.get("tinker_path") == path:
            return one
    raise Unmet("the checkpoint is listed", path, entries)


@scenario(
    "checkpoints/listing",
    "checkpoints/list/contains",
    "checkpoints/list/id-form",
    "checkpoints/list/type",
    "checkpoints/list/time",
    "checkpoints/list/size",
    "checkpoints/list/private",
    "checkpoints/list/metadata",
    "checkpoints/list/both-kinds",
    "checkpoints/list/unknown-run",
    "checkpoints/all/contains",
    "checkpoints/all/cursor",
    "checkpoints/all/limit",
    "checkpoints/all/pages",
    "checkpoints/all/no-external-for-old",
)
def listing(stage: Stage) -> None:
    """What was saved can be found."""
    tagged = stage.applies("checkpoints/list/metadata")
    fields: dict[str, Any] = {"user_metadata": {"step": "1"}} if tagged else {}
    model, path = checkpoint(stage, **fields)
    with stage.check("checkpoints/list/contains"):
        entry(stage, model, path)
    found = entry(stage, model, path)
    with stage.check("checkpoints/list/id-form"):
        expect_equal(found.get("checkpoint_id"), "weights/kept", "kind/name")
    with stage.check("checkpoints/list/type"):
        expect_equal(found.get("checkpoint_type"), "training", "its type")
    with stage.check("checkpoints/list/time"):
        moment = moment_of(found.get("time"))
        expect(moment.tzinfo is not None, "a moment with its time zone", "RFC 3339", found)
    with stage.check("checkpoints/list/size"):
        size = found.get("size_bytes")
        expect(isinstance(size, int) and size > 0, "a size in bytes", "> 0", size)
    with stage.check("checkpoints/list/private"):
        expect(not found.get("public"), "private until published", False, found)
    with stage.check("checkpoints/list/metadata"):
        expect_equal(found.get("user_metadata"), {"step": "1"}, "metadata is kept")
    with stage.check("checkpoints/list/both-kinds"):
        made = stage.submit("save_weights_for_sampler", bodies.save_sampler(model, 2, path="s"))
        other = str(made.result().at("/path"))
        stage.delete_checkpoint_later(other)
        expect_equal(entry(stage, model, other).get("checkpoint_type"), "sampler", "its type")
    with stage.check("checkpoints/list/unknown-run"):
        where = {"run_id": "no-such-run"}
        stage.hands.call("list_run_checkpoints", path=where).require(404)
    everything(stage, model, path)


def moment_of(text: object) -> datetime:
    """A timestamp of the wire."""
    try:
        return datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError as error:
        raise Unmet("a timestamp", "RFC 3339", text) from error


def everything(stage: Stage, model: str, path: str) -> None:
    """The list over all runs, in pages."""
    ask = {"limit": "100", "offset": "0"}
    reply = stage.hands.call("list_user_checkpoints", query=ask)
    with stage.check("checkpoints/all/contains"):
        where = ("list_user_checkpoints", "/checkpoints")
        there = on_a_page(stage, *where, lambda one: one.get("tinker_path") == path)
        expect(there, "the checkpoint is listed", path, "on no page")
    with stage.check("checkpoints/all/cursor"):
        total = reply.require().at("/cursor/total_count")
        count = len(reply.at("/checkpoints"))
        expect(type(total) is int and total >= count, "total_count", f">= {count}", total)
    with stage.check("checkpoints/all/limit"):
        one = stage.hands.call("list_user_checkpoints", query={"limit": "1", "offset": "0"})
        expect_equal(len(one.require().at("/checkpoints")), 1, "limit=1 gives one")
    with stage.check("checkpoints/all/pages"):
        where = ("list_user_checkpoints", "/checkpoints/0/tinker_path")
        first, second = two_pages(stage, *where)
        expect(first != second, "offset moves on", "another checkpoint", first)
    with stage.check("checkpoints/all/no-external-for-old"):
        if stage.target.sdk.last >= EXTERNAL:
            body = {"model_id": model, "path": "x", "seq_id": 3, "type": "save_weights_external"}
            made = stage.submit("save_weights_external", body).outcome()
            if not made.failed:
                stage.delete_checkpoint_later(str(made.at("/path")))
        kinds = {one.get("checkpoint_type") for one in listed(stage, model)}
        expect("external" not in kinds, "none that this release rejects", "", kinds)


@scenario(
    "checkpoints/publishing",
    "checkpoints/publish/accepted",
    "checkpoints/publish/public",
    "checkpoints/publish/stranger-reads",
    "checkpoints/unpublish/accepted",
    "checkpoints/unpublish/private",
    "checkpoints/unpublish/still-there",
    "checkpoints/publish/unknown",
    "checkpoints/publish/unknown-not-5xx",
)
def publishing(stage: Stage) -> None:
    """A checkpoint is shown to everybody, and hidden again."""
    model, path = checkpoint(stage)
    where = place(path)
    with stage.check("checkpoints/publish/unknown"):
        lost = stage.hands.call("publish_checkpoint", path={**where, "name": "none"})
        expect_equal(lost.status, 404, "not found")
    with stage.check("checkpoints/publish/unknown-not-5xx"):
        expect(400 <= lost.status < 500 and lost.status != 408, "final", "4xx", lost.status)
    with stage.check("checkpoints/publish/accepted"):
        stage.hands.call("publish_checkpoint", path=where).require()
    with stage.check("checkpoints/publish/public"):
        expect_equal(entry(stage, model, path).get("public"), True, "public")
    with stage.check("checkpoints/publish/stranger-reads"):
        stage.other_tenant().call("get_weights_info", {"tinker_path": path}).require()
    with stage.check("checkpoints/unpublish/accepted"):
        stage.hands.call("unpublish_checkpoint", path=where).require()
    with stage.check("checkpoints/unpublish/still-there"):
        entry(stage, model, path)
    with stage.check("checkpoints/unpublish/private"):
        expect(not entry(stage, model, path).get("public"), "private again", False)


@scenario(
    "checkpoints/lifetime",
    "checkpoints/ttl/set",
    "checkpoints/ttl/expires-at",
    "checkpoints/ttl/remove",
    "checkpoints/ttl/too-short",
    "checkpoints/ttl/unknown",
    "checkpoints/delete/accepted",
    "checkpoints/delete/gone",
    "checkpoints/delete/again",
)
def lifetime(stage: Stage) -> None:
    """Checkpoints end by themselves or on request."""
    model, path = checkpoint(stage)
    where = place(path)
    reply = stage.hands.call("set_checkpoint_ttl", {"ttl_seconds": 7200}, path=where)
    with stage.check("checkpoints/ttl/set"):
        reply.require()
    with stage.check("checkpoints/ttl/expires-at"):
        left = moment_of(entry(stage, model, path).get("expires_at")) - datetime.now(UTC)
        seconds = left.total_seconds()
        expect(6900 < seconds < 7500, "two hours from now", "7200 s", f"{seconds:.0f} s")
    with stage.check("checkpoints/ttl/remove"):
        stage.hands.call("set_checkpoint_ttl", {"ttl_seconds": None}, path=where).require()
        expect_equal(entry(stage, model, path).get("expires_at"), None, "for ever again")
    with stage.check("checkpoints/ttl/too-short"):
        short = stage.hands.call("set_checkpoint_ttl", {"ttl_seconds": 1}, path=where, wrong=True)
        expect(400 <= short.status < 500, "less than an hour is refused", "4xx", short.status)
    with stage.check("checkpoints/ttl/unknown"):
        lost = {**where, "name": "none"}
        stage.hands.call("set_checkpoint_ttl", {"ttl_seconds": 7200}, path=lost).require(404)
    with stage.check("checkpoints/delete/accepted"):
        stage.hands.call("delete_checkpoint", path=where).require()
    with stage.check("checkpoints/delete/gone"):
        paths = [one.get("tinker_path") for one in listed(stage, model)]
        expect(path not in paths, "no longer listed", "absent", paths)
    with stage.check("checkpoints/delete/again"):
        stage.hands.call("delete_checkpoint", path=where).require(404)


@scenario(
    "checkpoints/archive",
    "checkpoints/archive/redirect",
    "checkpoints/archive/location",
    "checkpoints/archive/expires",
    "checkpoints/archive/download",
    "checkpoints/archive/unknown",
)
def archive(stage: Stage) -> None:
    """A checkpoint as one file."""
    _, path = checkpoint(stage)
    where = place(path)
    headers = {"accept": "application/gzip"}
    reply = stage.hands.call("get_checkpoint_archive", path=where, headers=headers)
    with stage.check("checkpoints/archive/redirect"):
        expect_equal(reply.status, 302, "a redirect, which every release follows")
    with stage.check("checkpoints/archive/location"):
        location = reply.require(302).headers.get("location", "")
        expect("://" in location, "an absolute URL", "https://", location)
    with stage.check("checkpoints/archive/expires"):
        text = reply.require(302).headers.get("expires", "")
        try:
            datetime.strptime(text, "%a, %d %b %Y %H:%M:%S GMT")
        except ValueError as error:
            raise Unmet("Expires is an HTTP date", "Sat, 01 Jan 2028 00:00:00 GMT", text) from error
    with stage.check("checkpoints/archive/download"):
        url = str(reply.require(302).headers.get("location", ""))
        expect(stage.fetch(url), "an archive", "bytes", "nothing")
    with stage.check("checkpoints/archive/unknown"):
        lost = {**where, "name": "none"}
        stage.hands.call("get_checkpoint_archive", path=lost, headers=headers).require(404)
