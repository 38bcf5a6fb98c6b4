"""Every renderer of tinker-cookbook against the scripts of a mock: text, prefills, thoughts, calls.

Prints what went wrong and how much was tried, as one line of JSON. Needs no network and no
tokenizer of any model: HF_HOME holds stand-ins. `renderer_script.py URL own` renders with
tml-renderers' tokenizers instead, which are the models' own.
"""

import json
import logging
import sys
import urllib.request
import warnings
from collections.abc import Iterator
from typing import Any

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)

import tinker  # noqa: E402
from tinker_cookbook import model_info, renderers, tokenizer_utils  # noqa: E402

QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
ARGUMENTS = {"query": "cats & dogs", "n": 3, "s": "3", "deep": {"a": [1, True, None]}}
CALL = {"completion": "Let me see.", "tool_calls": [{"name": "search", "arguments": ARGUMENTS}]}
THOUGHT = {"completion": "Paris it is", "reasoning": "France, so Paris."}
UNPARSED = ("llama3", "role_colon")
"""The cookbook reads no tool calls of these."""


def scripts(method: str, body: dict[str, Any] | None = None) -> int:
    request = urllib.request.Request(
        f"{sys.argv[1]}/_mock/scripts",
        method=method,
        data=json.dumps(body).encode() if body else None,
        headers={"content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


class Trial:
    """One renderer with one model."""

    def __init__(self, client: Any, model: str, name: str) -> None:
        self.model, self.name = model, name
        self.tokenizer = tokenizer_utils.get_tokenizer(model)
        self.renderer = renderers.get_renderer(name, self.tokenizer)
        self.sampler = client.create_sampling_client(base_model=model)

    def ask(self, script: dict[str, Any], prefill: str | None = None) -> tuple[Any, str] | None:
        """The parsed answer and its text; None for a script that cannot fire for this model."""
        scripts("DELETE")
        told = {"model": self.model, "pattern": "capital of France", **script}
        if scripts("POST", told) != 201:
            return None
        prompt = self.renderer.build_generation_prompt(QUESTION, prefill=prefill)
        stops = self.renderer.get_stop_sequences()
        params = tinker.SamplingParams(max_tokens=200, stop=stops)
        sample = self.sampler.sample(prompt=prompt, num_samples=1, sampling_params=params).result()
        tokens = sample.sequences[0].tokens
        message, _ = self.renderer.parse_response(tokens)
        return message, self.tokenizer.decode(tokens)


def parts(message: Any) -> dict[str, str]:
    content = message["content"]
    if isinstance(content, str):
        return {"text": content}
    return {part["type"]: part[part["type"]].strip() for part in content}


def faults(trial: Trial) -> list[str]:
    found = []
    said = trial.ask({"completion": "Paris it is"})
    if said is None or parts(said[0]).get("text", "").strip() != "Paris it is":
        found.append(f"text: {said}")
    if trial.name != "tml_v0":  # takes no partial answers
        said = trial.ask({"completion": "Paris it is"}, prefill="Well, ")
        if said is None or "Paris it is" not in said[1]:
            found.append(f"prefill: {said}")
    said = trial.ask(THOUGHT)
    if said is not None:
        told = parts(said[0])
        silent = "disable" in trial.name or trial.name == "deepseekv3"
        if told.get("text") != "Paris it is":
            found.append(f"reasoning: {said}")
        if not silent and told.get("thinking") != "France, so Paris.":
            found.append(f"reasoning: {said}")
    said = trial.ask(CALL)
    if said is not None and trial.name not in UNPARSED:
        calls = said[0].get("tool_calls") or []
        if [json.loads(call.function.arguments) for call in calls] != [ARGUMENTS]:
            found.append(f"call: {said}")
    return found


def combinations(models: list[str], own: bool) -> Iterator[tuple[str, str]]:
    """Each renderer once, with its family's own tokenizers and base models too."""
    seen = set()
    for model in models:
        try:
            about = model_info.get_model_attributes(model)
        except (KeyError, ValueError):
            continue
        for name in about.recommended_renderers:
            key = (name, model.partition("-")[0], about.is_chat) if own else name
            if key not in seen:
                seen.add(key)
                yield model, name


def main() -> None:
    client, tried, wrong = tinker.ServiceClient(), [], {}
    on_offer = client.get_server_capabilities().supported_models
    rows: dict[str, str] = {}
    for row in on_offer:  # of some models only variants are on offer
        rows.setdefault(row.model_name.partition(":")[0], row.model_name)
    models = [*rows.values()]
    own = sys.argv[2:] == ["own"]
    if own:
        from own_tokenizers import install

        models = install(models)
    for model, name in combinations(models, own):
        try:
            trial = Trial(client, model, name)
        except AttributeError:  # a tokenizer that the published tml-renderers has not
            continue
        tried.append(f"{model} {name}" if own else name)
        if found := faults(trial):
            wrong[f"{model} {name}"] = found
    scripts("DELETE")
    print(json.dumps({"tried": tried, "wrong": wrong}))


main()
