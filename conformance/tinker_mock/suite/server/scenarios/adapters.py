"""Exported adapters: the layout of their files, whether they fit, whether they come back."""

import json
from typing import Any

import httpx
import numpy as np

from tinker_mock.suite.core.context import ScenarioContext, place
from tinker_mock.suite.core.verdict import Inapplicable, Unmet, expect, expect_equal
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.adapter_files import BASES, head_of, judge_fit, judge_layout, pairs_of
from tinker_mock.suite.server.bench import SIGNS, TEXT, Bench, Floats, Trainee
from tinker_mock.suite.server.scenario import scenario
from tinker_mock.suite.server.scenarios.checkpoint_effects import ADAPTER, CONFIG, members

RANK = 8
PARTS: dict[tuple[str, ...], dict[str, bool]] = {
    ("attn",): {"train_attn": True, "train_mlp": False, "train_unembed": False},
    ("mlp",): {"train_attn": False, "train_mlp": True, "train_unembed": False},
    ("attn", "mlp"): {"train_attn": True, "train_mlp": True, "train_unembed": False},
}
LARGEST = 1 << 26
"""Files below it are fetched whole."""


def archived(context: ScenarioContext, model: str, name: str) -> dict[str, bytes]:
    """The archive of a model's weights: the beginnings of its files."""
    body = bodies.save_sampler(model, context.number(model), path=name)
    path = str(context.submit("save_weights_for_sampler", body).result().at("/path"))
    context.delete_checkpoint_later(path)
    headers = {"accept": "application/gzip"}
    reply = context.client.call("get_checkpoint_archive", path=place(path), headers=headers)
    if reply.status in (404, 405, 501):
        raise Inapplicable("there are no archives (checkpoints/archive/redirect says so)")
    return members(str(reply.require(302).headers["location"]), context)


@scenario("checkpoints/adapters")
def adapters(context: ScenarioContext) -> None:
    """The files of an adapter, and the modules that it is on."""
    session = context.session()
    base = BASES.get(context.named_model())
    for parts, told in PARTS.items():
        model = context.model(session, lora_config={"rank": RANK, "seed": 1, **told})
        files = archived(context, model, "parts")
        with context.check("checkpoints/archive/layout"):
            expect({CONFIG, ADAPTER} <= files.keys(), "both files", [CONFIG, ADAPTER], [*files])
            head, _ = head_of(files[ADAPTER])
            judge_layout(head, None)
            for module, a, b in pairs_of(head):
                expect(RANK in (a[-2], b[-1]), f"{module}: matrices of the rank", RANK, (a, b))
        with context.check("checkpoints/archive/config"):
            judge_config(json.loads(files[CONFIG]), context.named_model(), head)
        with context.check("checkpoints/archive/fits"):
            if base is None:
                raise Inapplicable(f"the sizes of {context.named_model()} are not known here")
            judge_fit(head_of(files[ADAPTER])[0], base, RANK, parts)


def judge_config(config: dict[str, Any], base: str, head: dict[str, Any]) -> None:
    """Unmet unless PEFT finds what it needs."""
    told = {name: config.get(name) for name in ("peft_type", "r", "base_model_name_or_path")}
    wanted = {"peft_type": "LORA", "r": RANK, "base_model_name_or_path": base}
    expect_equal(told, wanted, "the configuration")
    scale = config.get("lora_alpha")
    expect(isinstance(scale, int | float) and scale > 0, "lora_alpha", "> 0", scale)
    targets = config.get("target_modules")
    names = {module.rpartition(".")[2] for module, _, _ in pairs_of(head)}
    fine = targets == "all-linear" or (isinstance(targets, list) and names <= set(targets))
    expect(fine, "target_modules names the modules", sorted(names), targets)


@scenario("weights/uploads")
def uploads(context: ScenarioContext) -> None:
    """Weights that were exported come back by the same files."""
    bench = Bench(context)
    small = {"rank": 1, "seed": 1, "train_mlp": False, "train_unembed": False}
    model = Trainee(context, context.model(bench.session, lora_config=small))
    model.gather([bodies.datum(*TEXT)])
    model.step(bench.signs, **SIGNS)
    then = model.look([bodies.datum(*TEXT)])
    files, path = exported(context, model)
    with context.check("weights/external/layout"):
        content = files[ADAPTER]
        head, begin = head_of(content)
        judge_layout(head, len(content) - begin if len(content) < LARGEST else None)
    with context.check("weights/external/samples"):
        bench.same(heard(context, bench, path), then, "an external checkpoint samples as the model")
    body = {"base_model": context.named_model(), "lora_config": small}
    started = context.client.call("external_weights_upload_start", body)
    if started.status in (403, 404, 405, 501):
        raise Inapplicable("the server takes no weights from outside")
    with context.check("weights/uploads/links"):
        urls = {name: link(one) for name, one in started.require().at("/urls").items()}
        expect({CONFIG, ADAPTER} <= set(urls), "a link for each file", [CONFIG, ADAPTER], [*urls])
    finish = {"upload_id": started.require().at("/upload_id")}
    with context.check("weights/uploads/early"):
        early = context.client.call("external_weights_upload_finish", finish, wrong=True)
        expect(400 <= early.status < 500, "without its files it is refused", "4xx", early.status)
    for name, url in urls.items():
        sent = httpx.put(url, content=files.get(name, b""), timeout=30, trust_env=False)
        expect(sent.is_success, f"{name} is taken", "2xx", f"{sent.status_code} {sent.text}")
    with context.check("weights/uploads/same"):
        made = context.client.call("external_weights_upload_finish", finish).require()
        again = context.client.call("external_weights_upload_finish", finish).require()
        back = str(made.at("/tinker_path"))
        expect_equal(again.at("/tinker_path"), back, "finished twice: the same checkpoint")
        context.delete_checkpoint_later(back)
        bench.same(heard(context, bench, back), then, "the weights that were exported")
    refusals(context, body, files)


def refusals(context: ScenarioContext, body: dict[str, Any], files: dict[str, bytes]) -> None:
    """What cannot be uploaded."""
    with context.check("weights/uploads/refused"):
        stranger = {**body, "base_model": "nobody/no-such-model"}
        tried = context.client.call("external_weights_upload_start", stranger, wrong=True)
        expect(400 <= tried.status < 500, "an unknown base model is refused", "4xx", tried.status)
        other = {**body, "lora_config": {"rank": 16}}
        started = context.client.call("external_weights_upload_start", other).require()
        for name, one in started.at("/urls").items():
            httpx.put(link(one), content=files.get(name, b""), timeout=30, trust_env=False)
        finish = {"upload_id": started.at("/upload_id")}
        tried = context.client.call("external_weights_upload_finish", finish, wrong=True)
        expect(400 <= tried.status < 500, "files of another rank are refused", "4xx", tried.text)
        tried = context.client.call(
            "external_weights_upload_finish", {"upload_id": "no-such-upload"}, wrong=True
        )
        expect(400 <= tried.status < 500, "an unknown upload is refused", "4xx", tried.status)


def heard(context: ScenarioContext, bench: Bench, path: str) -> Floats:
    """What a sampler of a checkpoint says of TEXT."""
    fields = {"prompt": bodies.text(*TEXT), "max_tokens": 1, "prompt_logprobs": True}
    body = bodies.sample(context.sampler(bench.session, path), 1, **fields)
    values = context.submit("asample", body).result().at("/prompt_logprobs")
    return np.array(values[1:], np.float64)


def link(told: Any) -> str:
    """Where a file goes: a URL, or since 0.40 an object with it."""
    return str(told["url"] if isinstance(told, dict) else told)


def exported(context: ScenarioContext, model: Trainee) -> tuple[dict[str, bytes], str]:
    """The files of an external checkpoint, and its path; Inapplicable where there are none."""
    body = {
        "model_id": model.model, "path": "outside", "seq_id": context.number(model.model),
        "type": "save_weights_external",
    }  # fmt: skip
    sent = context.submit("save_weights_external", body)
    if sent.reply.status in (404, 405, 501):
        raise Inapplicable("the server exports no weights")
    path = str(sent.result().at("/path"))
    context.delete_checkpoint_later(path)
    where = {"run_id": model.model, "name": "outside"}
    urls = context.client.call("get_external_weights_urls", path=where).require().at("/urls")
    return {name: fetched(str(url)) for name, url in urls.items()}, path


def fetched(url: str) -> bytes:
    """A file, or as much of it as is looked at."""
    found = b""
    try:
        with httpx.stream("GET", url, timeout=30, trust_env=False) as answer:
            for piece in answer.iter_bytes():
                found += piece
                if len(found) >= LARGEST:
                    break
    except httpx.HTTPError as error:
        raise Unmet("the file is there", "bytes", str(error)) from error
    return found
