"""Where growing sequences stand in scripted answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinker_mock.server.engine.model.answer_paths import Path
from tinker_mock.server.engine.model.base_model import BaseModel, Successors
from tinker_mock.server.engine.model.contexts import Contexts
from tinker_mock.server.engine.model.keys import Bools, Ints


@dataclass(frozen=True)
class Begin:
    """The last `answered` tokens of a prompt are the sample's own, drawn before.

    `answer` is the number of the scripted answer that this sample draws, None for any of them;
    its log-probabilities are those of all of them together.
    """

    answered: int = 0
    answer: int | None = None


ANYWHERE = Begin()


class ScriptedRun:
    """One row per sequence, advanced with the generation."""

    def __init__(self, base: BaseModel, prompts: Sequence[Ints], begins: Sequence[Begin]) -> None:
        self.base = base
        self.prompts = prompts
        self.begins = begins
        base.scripted_answers.use_text(base.decode)
        known: dict[tuple[int, int], Path | None] = {}
        for prompt, begin in zip(prompts, begins, strict=True):
            key = (id(prompt), begin.answered)
            if key not in known:
                known[key] = base.scripted_answers.begin(prompt, begin.answered)
        pairs = zip(prompts, begins, strict=True)
        self.paths = [known[id(prompt), begin.answered] for prompt, begin in pairs]

    def lifted(self, at: Contexts, run: Ints) -> tuple[Contexts, Contexts]:
        """The running sequences' contexts: as they are scored, and as they are drawn from."""
        scored: list[tuple[int, Successors]] = []
        drawn: list[tuple[int, Successors]] = []
        for place, row in enumerate(run.tolist()):
            path = self.paths[row]
            if path is None:
                continue
            scored.append((place, path.following()))
            chosen = path.only(self.begins[row].answer)
            if chosen is not None:
                drawn.append((place, chosen.following()))
        scored = [pair for pair in scored if pair[1]]
        drawn = [pair for pair in drawn if pair[1]]
        before = self.base.lifted(at, scored)
        return before, before if drawn == scored else self.base.lifted(at, drawn)

    def advance(self, run: Ints, grown: Ints, opened: Bools) -> None:
        """Each running sequence got a token, the last of its row of `grown` [running, length];
        `opened` where that opened another turn."""
        for place, row in enumerate(run.tolist()):
            path = self.paths[row]
            self.paths[row] = None if path is None else path.step(int(grown[place, -1]))
            if opened[place] and self.paths[row] is None:
                whole = np.concatenate([self.prompts[row], grown[place]])
                self.paths[row] = self.base.scripted_answers.path_at_end(whole)
