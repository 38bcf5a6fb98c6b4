"""Lessons whose own evaluation shows that the model learnt, each with what must come out of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runs import Kitchen, Wrong
from workspace import INKLING


def _told(kitchen: Kitchen, lesson: str) -> dict[str, Any]:
    script = str(Path(__file__).with_name("lesson_script.py"))
    output = kitchen.python(script, lesson, INKLING)
    (line,) = (line for line in output.splitlines() if line.startswith("{"))
    return dict(json.loads(line))


def learnt(told: dict[str, Any], asked: str) -> str:
    """The loss per token fell below 0.1, and the greedy answers are those that were shown."""
    first, last = told["losses"][0], told["losses"][-1]
    said = f"loss per token {first:.2f} to {last:.3f} in {len(told['losses'])} steps; "
    said += f"{sum(told['right'])} of {len(told['right'])} {asked}"
    if not last < 0.1 or not all(told["right"]):
        raise Wrong(said)
    return said


def rose(rewards: list[list[float]]) -> str:
    """Every prompt's reward ended above 0.95, each from below a half."""
    first, last = rewards[0], rewards[-1]
    said = f"reward {first} to {last} in {len(rewards)} steps"
    if not max(first) < 0.5 or not min(last) > 0.95:
        raise Wrong(said)
    return said


def sft_repeated_set(kitchen: Kitchen) -> str:
    return learnt(_told(kitchen, "repeated_set"), "greedy answers as shown")


def rl_per_prompt(kitchen: Kitchen) -> str:
    return rose(_told(kitchen, "rewards")["rewards"])


def picture_classifier(kitchen: Kitchen) -> str:
    return learnt(_told(kitchen, "pictures"), "pictures told apart")


def prompt_distillation(kitchen: Kitchen) -> str:
    """The student knew nothing of it before, and says afterwards what the teacher says."""
    told = _told(kitchen, "prompt_distillation")
    if not all(told["teacher"]) or any(told["before"]):
        raise Wrong(f"teacher {told['teacher']}, student before {told['before']}")
    return learnt(told, "of the long prompt's answers under the short one")


LESSONS: dict[str, Callable[[Kitchen], str]] = {
    "sft_repeated_set": sft_repeated_set,
    "rl_per_prompt": rl_per_prompt,
    "picture_classifier": picture_classifier,
    "prompt_distillation": prompt_distillation,
}
