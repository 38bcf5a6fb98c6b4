"""Checkpoints by what is in them: saved, loaded, overwritten, copied, exported, deleted."""

import json
import tarfile
from collections.abc import Iterator
from typing import Any

import httpx

from tinker_mock.suite.core.context import ScenarioContext, fetchable, place
from tinker_mock.suite.core.promises import Outcome
from tinker_mock.suite.core.verdict import Unmet, expect, expect_equal
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.bench import OTHER, SIGNS, TEXT, Bench, Floats, Trainee
from tinker_mock.suite.server.scenario import scenario

RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
"""A public key: nobody here needs to open what is encrypted for it."""
HEAD = b"age-encryption.org/v1"
CONFIG, ADAPTER = "adapter_config.json", "adapter_model.safetensors"
RANK = 8
"""Of the suite's models."""


class Shelf:
    """Saves models of a bench, and looks at what was saved."""

    def __init__(self, context: ScenarioContext) -> None:
        self.context = context
        self.bench = Bench(context)

    def trained(self, steps: int = 1) -> Trainee:
        """A model after some steps."""
        model = self.bench.fresh()
        for _ in range(steps):
            self.train(model)
        return model

    def train(self, model: Trainee) -> None:
        """One more step."""
        model.gather([bodies.datum(*TEXT)])
        model.step(self.bench.signs, **SIGNS)

    def save(self, model: Trainee, name: str, **fields: Any) -> Outcome:
        """save_weights, whatever comes of it."""
        number = self.context.number(model.model)
        body = bodies.save(model.model, number, name, **fields)
        outcome = self.context.submit("save_weights", body).outcome()
        if not outcome.failed:
            self.context.delete_checkpoint_later(str(outcome.at("/path")))
        return outcome

    def inside(self, path: str) -> Floats:
        """What a model says that has loaded the checkpoint."""
        model = self.bench.fresh()
        number = self.context.number(model.model)
        self.context.submit("load_weights", bodies.load(model.model, number, path)).result()
        return model.look()

    def resumed(self, path: str) -> Floats:
        """What a model says one step with momentum after it has loaded weights and optimizer."""
        model = self.bench.fresh()
        number = self.context.number(model.model)
        body = bodies.load(model.model, number, path, optimizer=True)
        self.context.submit("load_weights", body).result()
        model.gather([bodies.datum(*TEXT)])
        model.step(self.bench.signs, beta1=0.9, beta2=0.99, eps=1e-12)
        return model.look()


@scenario("weights/effects")
def saving(context: ScenarioContext) -> None:
    """A checkpoint holds the weights of its moment, under its own name."""
    shelf = Shelf(context)
    model = shelf.trained()
    then = model.look()
    first = str(shelf.save(model, "First").at("/path"))
    shelf.train(model)
    later = model.look()
    second = str(shelf.save(model, "second").at("/path"))
    shelf.train(model)
    with context.check("weights/save/moment"):
        shelf.bench.same(shelf.inside(first), then, "the weights of when it was saved")
        shelf.bench.same(shelf.inside(second), later, "and of when the other was")
    with context.check("weights/save/named"):
        expect_equal(first, f"tinker://{model.model}/weights/First", "the name as it was given")
    with context.check("weights/save/keeps"):
        taken = shelf.trained(2)
        kept, seen = str(shelf.save(taken, "taken").at("/path")), taken.look()
        shelf.train(taken)
        tried = shelf.save(taken, "taken")
        expect(tried.failed, "without overwrite a name that is taken is refused", "409", "saved")
        shelf.bench.same(shelf.inside(kept), seen, "and what it holds stays")
    if context.applies("weights/save/overwrites"):
        with context.check("weights/save/overwrites"):
            spare = shelf.trained(3)
            newest = spare.look()
            path = str(shelf.save(spare, "again").at("/path"))
            shelf.train(spare)
            changed = spare.look()
            shelf.bench.same(shelf.inside(path), newest, "the first save")
            shelf.save(spare, "again", overwrite=True).at("/path")
            shelf.bench.same(shelf.inside(path), changed, "overwrite replaces the weights")
    lifetimes(context, shelf, model)


def lifetimes(context: ScenarioContext, shelf: Shelf, model: Trainee) -> None:
    """What is said of a checkpoint when it is saved stays with it; deletion is for good."""
    tagged = context.applies("weights/save/metadata-kept")
    fields: dict[str, Any] = {"user_metadata": {"step": "8"}} if tagged else {}
    path = str(shelf.save(model, "brief", ttl_seconds=86_400, **fields).at("/path"))
    run = {"run_id": model.model}
    listed = context.client.call("list_run_checkpoints", path=run).require().at("/checkpoints")
    entry: dict[str, Any] = next((one for one in listed if one.get("tinker_path") == path), {})
    with context.check("weights/save/ttl-kept"):
        expect(entry.get("expires_at"), "a lifetime given when saving shows", "expires_at", entry)
    if tagged:
        with context.check("weights/save/metadata-kept"):
            expect_equal(entry.get("user_metadata"), {"step": "8"}, "metadata is kept")
    other = str(shelf.save(model, "stays").at("/path"))
    context.client.call("delete_checkpoint", path=place(path)).require()
    with context.check("checkpoints/delete/no-load"):
        fresh = shelf.bench.fresh()
        body = bodies.load(fresh.model, context.number(fresh.model), path)
        tried = context.submit("load_weights", body).outcome()
        expect(tried.failed, "what was deleted cannot be loaded", "an error", tried.value)
    with context.check("checkpoints/delete/others-stay"):
        shelf.bench.same(shelf.inside(other), model.look(), "its neighbour is still there")


MOMENTUM = {"beta1": 0.9, "beta2": 0.99, "eps": 1e-12}


@scenario("weights/resumed")
def going_on(context: ScenarioContext) -> None:
    """A model that goes on from a checkpoint, with what its last steps did not touch."""
    shelf = Shelf(context)
    model = shelf.bench.fresh()
    for text in (OTHER, TEXT):
        model.gather([bodies.datum(*text)])
        model.step(shelf.bench.signs / 2, **MOMENTUM)
    path = str(shelf.save(model, "resumed").at("/path"))
    with context.check("weights/load/idle-parameters"):
        again = shelf.bench.fresh()
        number = context.number(again.model)
        body = bodies.load(again.model, number, path, optimizer=True)
        context.submit("load_weights", body).result()
        for what in ("as it was saved", "one step later"):
            shelf.bench.same(again.look(), model.look(), what)
            for one in (model, again):
                one.idle()
                one.step(shelf.bench.signs / 2, **MOMENTUM)


@scenario("weights/copies")
def copies(context: ScenarioContext) -> None:
    """A copy is the same weights, and lives on its own."""
    shelf = Shelf(context)
    model = shelf.trained()
    then = model.look()
    path = str(shelf.save(model, "original").at("/path"))
    body = {"source_path": path, "destination_project_id": "conformance"}
    headers = {"x-idempotency-key": f"conformance-{model.model}"}

    def copied(headers: dict[str, str] = headers) -> str:
        reply = context.client.call("copy_weights", body, headers=headers).require()
        made = str(reply.at("/tinker_path"))
        context.delete_checkpoint_later(made)
        return made

    copy = copied()
    with context.check("weights/copy/same"):
        shelf.bench.same(shelf.inside(copy), then, "the same weights")
    with context.check("weights/copy/optimizer"):
        ways = [shelf.resumed(one).tolist() for one in (path, copy)]
        expect_equal(ways[1], ways[0], "the next step from it is that from its source")
    with context.check("weights/copy/idempotent"):
        expect_equal(copied(), copy, "the same key, the same copy")
        second = copied({"x-idempotency-key": f"conformance-{model.model}-2"})
        expect(second != copy, "another key, another copy", "two paths", copy)
    with context.check("weights/copy/private"):
        stranger = context.other_tenant()
        tried = stranger.call("get_weights_info", {"tinker_path": copy})
        expect(tried.status in (403, 404), "nobody else reads it", "403 or 404", tried.status)
    with context.check("weights/copy/own"):
        context.client.call("delete_checkpoint", path=place(path)).require()
        shelf.bench.same(shelf.inside(copy), then, "it outlives its source")


@scenario("checkpoints/contents")
def contents(context: ScenarioContext) -> None:
    """The archive and the exported files are adapters that other software reads."""
    shelf = Shelf(context)
    model = shelf.trained()
    number = context.number(model.model)
    body = bodies.save_sampler(model.model, number, path="packed")
    path = str(context.submit("save_weights_for_sampler", body).result().at("/path"))
    context.delete_checkpoint_later(path)
    headers = {"accept": "application/gzip"}
    reply = context.client.call("get_checkpoint_archive", path=place(path), headers=headers)
    with context.check("checkpoints/archive/content"):
        judge_adapter(members(str(reply.require(302).headers["location"]), context))
    with context.check("checkpoints/links/signed"):
        url = str(reply.require(302).headers["location"])
        fetchable(url)
        if "signature=" not in url:
            expect("=" in url, "the link carries a secret", "?…=…", url)
        begin = url.index("signature=") + len("signature=") if "signature=" in url else len(url) - 8
        forged = url[:begin] + ("0" if url[begin] != "0" else "1") + url[begin + 1 :]
        answer = httpx.get(forged, timeout=context.target.timeout, trust_env=False)
        expect(answer.status_code >= 400, "a changed link is refused", "4xx", answer.status_code)
    if context.applies("weights/external/encrypted"):
        encrypted(context, model)


def encrypted(context: ScenarioContext, model: Trainee) -> None:
    """An export for age recipients."""
    body = {
        "model_id": model.model,
        "path": "sealed",
        "seq_id": context.number(model.model),
        "type": "save_weights_external",
        "age_encryption_recipients": [RECIPIENT],
    }
    with context.check("weights/external/encrypted"):
        sealed = context.submit("save_weights_external", body).outcome()
        if sealed.failed:
            expect("age" in sealed.error, "encrypted, or refused as such", "age", sealed.error)
            return
        context.delete_checkpoint_later(str(sealed.at("/path")))
        where = {"run_id": model.model, "name": "sealed"}
        urls = context.client.call("get_external_weights_urls", path=where).require().at("/urls")
        for url in urls.values():
            first = context.fetch(str(url))
            expect(first.startswith(HEAD), "each file is encrypted with age", HEAD, first[:30])


def members(url: str, context: ScenarioContext) -> dict[str, bytes]:
    """The first bytes of each member of an archive."""
    found = {}
    fetchable(url)
    try:
        with httpx.stream("GET", url, timeout=context.target.timeout, trust_env=False) as answer:
            source = Pieces(answer.iter_bytes())
            with tarfile.open(fileobj=source, mode="r|*") as archive:  # type: ignore[call-overload]
                for member in archive:
                    file = archive.extractfile(member)
                    found[member.name.rpartition("/")[2]] = file.read(1 << 20) if file else b""
                    if {CONFIG, ADAPTER} <= found.keys():
                        break
    except tarfile.TarError as error:
        raise Unmet("the archive is a tar", "a tar file", str(error)) from error
    except httpx.HTTPError as error:
        raise Unmet("the archive is there", "a file", str(error)) from error
    return found


class Pieces:
    """What a download gives, as something to read from."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.pieces = pieces
        self.rest = b""

    def read(self, size: int) -> bytes:
        """At most `size` bytes, fewer at the end only."""
        while len(self.rest) < size:
            piece = next(self.pieces, None)
            if piece is None:
                break
            self.rest += piece
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken


def judge_adapter(files: dict[str, bytes]) -> None:
    """Unmet unless these are a PEFT adapter of the suite's rank."""
    expect({CONFIG, ADAPTER} <= files.keys(), "an adapter's two files", [CONFIG, ADAPTER], [*files])
    try:
        config = json.loads(files[CONFIG])
        size = int.from_bytes(files[ADAPTER][:8], "little")
        head = json.loads(files[ADAPTER][8 : 8 + size]) if size < 1 << 20 else None
    except ValueError as error:
        raise Unmet("the files can be read", "JSON and safetensors", str(error)) from error
    expect_equal(config.get("r"), RANK, "the configuration's rank")
    if head is None:
        return
    shapes = [one["shape"] for name, one in head.items() if ".lora_A." in name]
    expect(shapes and all(RANK in shape for shape in shapes), "matrices of that rank", RANK, shapes)
