"""Lessons with the cookbook's renderers and data functions: taught, then asked.

    lesson_script.py LESSON MODEL

Prints what came of it as one line of JSON.
"""

import io
import json
import logging
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)

import tinker  # noqa: E402
from PIL import Image  # noqa: E402
from tinker import types  # noqa: E402
from tinker_cookbook import model_info, renderers, tokenizer_utils  # noqa: E402
from tinker_cookbook.renderers import TrainOnWhat  # noqa: E402
from tinker_cookbook.supervised.data import conversation_to_datum  # noqa: E402

CAPITALS = {"France": "Paris", "Italy": "Rome", "Peru": "Lima", "Fiji": "Suva", "Oman": "Muscat"}
QUESTIONS = {f"What is the capital of {land}?": city for land, city in CAPITALS.items()}
RULES = "You are a pirate. Name the ship that belongs to the number, and nothing else. " * 8
SHIPS = {
    f"Number {n}?": f"The {name}." for n, name in enumerate(("Argo", "Beagle", "Fram", "Vasa"))
}
WORDS = ("red", "green", "blue", "white")
PATCHES = 6
"""What Inkling takes for 80 x 80 pixels."""


@dataclass
class Pupil:
    """One model under training, and how it is asked."""

    client: Any
    model: str

    def __post_init__(self) -> None:
        tokenizer = tokenizer_utils.get_tokenizer(self.model)
        name = model_info.get_recommended_renderer_name(self.model)
        self.renderer = renderers.get_renderer(name, tokenizer)
        self.training = self.client.create_lora_training_client(base_model=self.model, rank=32)

    def step(self, data: list[types.Datum], rate: float, loss: str = "cross_entropy") -> float:
        """One step; the loss before it."""
        passed = self.training.forward_backward(data, loss)
        self.training.optim_step(types.AdamParams(learning_rate=rate)).result()
        return float(passed.result().metrics["loss:sum"])

    def teach(self, pairs: list[tuple[str, str]], until: float, rate: float = 2e-4) -> list[float]:
        """Supervised, one batch again and again; the loss per token at each step."""
        data = [
            conversation_to_datum(
                [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}],
                self.renderer, 2048, TrainOnWhat.LAST_ASSISTANT_MESSAGE,
            )
            for asked, answer in pairs
        ]  # fmt: skip
        weight = sum(sum(datum.loss_fn_inputs["weights"].data) for datum in data)
        losses: list[float] = []
        while len(losses) < 200 and (not losses or losses[-1] > until):
            losses.append(self.step(data, rate) / weight)
        return losses

    def prompt(self, asked: str) -> types.ModelInput:
        return self.renderer.build_generation_prompt([{"role": "user", "content": asked}])

    def said(self, tokens: list[int]) -> str:
        content = self.renderer.parse_response(tokens)[0]["content"]
        parts = [{"text": content}] if isinstance(content, str) else content
        return "".join(part.get("text", "") for part in parts).strip()

    def sampler(self) -> Callable[..., list[Any]]:
        """Asks the model as it is now: sequences of a prompt."""
        client = self.training.save_weights_and_get_sampling_client()
        stops = self.renderer.get_stop_sequences()

        def ask(prompt: types.ModelInput, number: int = 1, temperature: float = 0.0) -> list[Any]:
            wanted = types.SamplingParams(max_tokens=24, temperature=temperature, stop=stops)
            sampled = client.sample(prompt=prompt, num_samples=number, sampling_params=wanted)
            return list(sampled.result().sequences)

        return ask

    def answers(self, questions: list[str]) -> list[str]:
        ask = self.sampler()
        return [self.said(ask(self.prompt(asked))[0].tokens) for asked in questions]


def repeated_set(pupil: Pupil) -> dict[str, Any]:
    """A small set until its loss is low; then the model is asked."""
    losses = pupil.teach(list(QUESTIONS.items()), until=0.05)
    return {"losses": losses, "right": _right(pupil.answers(list(QUESTIONS)), QUESTIONS)}


def _right(found: list[str], wanted: dict[str, str]) -> list[bool]:
    return [one == other for one, other in zip(found, wanted.values(), strict=True)]


def rewards(pupil: Pupil) -> dict[str, Any]:
    """Group-relative advantages; every prompt has a right answer of its own."""
    asked = [f"Question {number}: which colour?" for number in range(len(WORDS))]
    pupil.teach([(one, word) for one in asked for word in WORDS], until=1.0, rate=1e-4)
    told = []
    for _ in range(60):
        ask, data, means = pupil.sampler(), [], []
        for one, right in zip(asked, WORDS, strict=True):
            prompt = pupil.prompt(one)
            drawn = ask(prompt, 16, 1.0)
            reward = [float(pupil.said(sequence.tokens) == right) for sequence in drawn]
            means.append(sum(reward) / len(reward))
            for sequence, got in zip(drawn, reward, strict=True):
                data.append(_rewarded(prompt, sequence, got - means[-1]))
        told.append(means)
        if min(means) > 0.95:
            break
        pupil.step(data, 1e-4, "importance_sampling")
    return {"rewards": told}


def _rewarded(prompt: types.ModelInput, sequence: Any, advantage: float) -> types.Datum:
    before, drawn = prompt.to_ints(), list(sequence.tokens)
    whole, unmarked = before + drawn, [0.0] * (len(before) - 1)
    inputs = {
        "target_tokens": whole[1:],
        "logprobs": unmarked + list(sequence.logprobs),
        "advantages": unmarked + [advantage] * len(drawn),
    }
    return types.Datum(model_input=types.ModelInput.from_ints(whole[:-1]), loss_fn_inputs=inputs)


def pictures(pupil: Pupil) -> dict[str, Any]:
    """The same words around every picture; only what is on it tells the class."""
    encode = pupil.renderer.tokenizer.encode
    labels = {colour: encode(colour)[0] for colour in WORDS}
    shown = {colour: _picture(encode, colour) for colour in WORDS}
    data = []
    for colour, label in labels.items():
        last = shown[colour].length - 1
        inputs = {"target_tokens": [0] * last + [label], "weights": [0.0] * last + [1.0]}
        data.append(types.Datum(model_input=shown[colour], loss_fn_inputs=inputs))
    losses = [pupil.step(data, 2e-4) / len(data) for _ in range(40)]
    ask = pupil.sampler()
    found = [ask(shown[colour])[0].tokens[0] == label for colour, label in labels.items()]
    return {"losses": losses, "right": found}


def _picture(encode: Callable[[str], list[int]], colour: str) -> types.ModelInput:
    packed = io.BytesIO()
    Image.new("RGB", (80, 80), colour).save(packed, "PNG")
    return types.ModelInput(
        chunks=[
            types.EncodedTextChunk(tokens=encode("Which colour")),
            types.ImageChunk(data=packed.getvalue(), format="png", expected_tokens=PATCHES),
            types.EncodedTextChunk(tokens=encode("is this?")),
        ]
    )


def prompt_distillation(pupil: Pupil) -> dict[str, Any]:
    """A teacher under a long prompt; its answers are taught without that prompt."""
    pupil.teach([(RULES + asked, ship) for asked, ship in SHIPS.items()], until=0.05)
    taught = pupil.answers([RULES + asked for asked in SHIPS])
    student = Pupil(pupil.client, pupil.model)
    before = student.answers(list(SHIPS))
    losses = student.teach(list(zip(SHIPS, taught, strict=True)), until=0.05)
    return {
        "losses": losses,
        "teacher": _right(taught, SHIPS),
        "before": _right(before, SHIPS),
        "right": _right(student.answers(list(SHIPS)), SHIPS),
    }


TAUGHT = (repeated_set, rewards, pictures, prompt_distillation)
LESSONS = {lesson.__name__: lesson for lesson in TAUGHT}

if __name__ == "__main__":
    print(json.dumps(LESSONS[sys.argv[1]](Pupil(tinker.ServiceClient(), sys.argv[2]))))
