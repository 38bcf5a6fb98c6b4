"""The cookbook's recipes and scripts, each with what must come out of it."""

from __future__ import annotations

import json
import math
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from workspace import ARCHITECTURES, INKLING, Workspace

Metrics = list[dict[str, float]]


class Wrong(Exception):
    """A run ended but did not do what it should."""


@dataclass(frozen=True)
class Kitchen:
    """Where a run happens: the workspace and the mock's address."""

    workspace: Workspace
    address: str

    def python(self, *words: str, stdin: str = "", timeout: float = 300) -> str:
        """Run the cookbook environment's Python; its output. Raises Wrong if it fails."""
        command = [str(self.workspace.python), *words]
        try:
            done = subprocess.run(
                command,
                cwd=self.workspace.folder,
                env=self.workspace.environment(self.address),
                input=stdin,
                capture_output=True,
                text=True,
                timeout=timeout,
            )
        except subprocess.TimeoutExpired as late:
            raise Wrong(f"no end after {timeout:g} s: {str(late.stdout)[-300:]}") from late
        output = done.stdout + done.stderr
        if done.returncode:
            raise Wrong(f"exit {done.returncode}: {output[-1500:]}")
        return output

    def recipe(self, module: str, log: str, *settings: str, timeout: float = 300) -> Metrics:
        """Run a recipe with a log directory; its metrics, one entry a step."""
        path = self.workspace.folder / "out" / log
        words = [f"tinker_cookbook.recipes.{module}", *settings, f"log_path={path}"]
        self.python("-m", *words, timeout=timeout)
        lines = (path / "metrics.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def checkpoints(self, log: str) -> list[dict[str, object]]:
        """A log directory's list of checkpoints."""
        text = (self.workspace.folder / "out" / log / "checkpoints.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]

    def script(self, name: str, *settings: str) -> str:
        """Run a script of the cookbook's source package."""
        return self.python(str(self.workspace.source / "tests" / f"{name}.py"), *settings)


def column(metrics: Metrics, name: str) -> list[float]:
    """A metric over the steps that have it."""
    found = [entry[name] for entry in metrics if name in entry]
    if not found:
        raise Wrong(f"no metric {name!r}; there are {sorted(metrics[-1]) if metrics else []}")
    return found


def falls(values: Sequence[float], name: str) -> str:
    if not values[-1] < values[0]:
        raise Wrong(f"{name} does not fall: {[round(v, 4) for v in values]}")
    return f"{name} {values[0]:.3f} to {values[-1]:.3f}"


def chat_sl(kitchen: Kitchen) -> str:
    metrics = kitchen.recipe(
        "chat_sl.train", "chat_sl", "dataset=data/train.jsonl", f"model_name={INKLING}",
        "batch_size=16", "max_length=512", "learning_rate=5e-4", "max_steps=8", "save_every=4",
        "behavior_if_log_dir_exists=delete",
    )  # fmt: skip
    return falls(column(metrics, "train_mean_nll"), "train_mean_nll")


def _sl_loop(kitchen: Kitchen, log: str, steps: int) -> Metrics:
    return kitchen.recipe(
        "sl_loop", log, f"model_name={kitchen.workspace.text_model}", "batch_size=16",
        f"max_steps={steps}", "save_every=2", "learning_rate=5e-4",
    )  # fmt: skip


def sl_loop(kitchen: Kitchen) -> str:
    return falls(column(_sl_loop(kitchen, "sl_loop", 6), "train_mean_nll"), "train_mean_nll")


def resume(kitchen: Kitchen) -> str:
    """Four steps at once, and two plus two: the same digits."""
    straight = column(_sl_loop(kitchen, "straight", 4), "train_mean_nll")
    _sl_loop(kitchen, "broken", 2)
    log = kitchen.workspace.folder / "out" / "broken" / "checkpoints.jsonl"
    kept = [line for line in log.read_text().splitlines() if '"final"' not in line]
    log.write_text("".join(line + "\n" for line in kept))
    broken = column(_sl_loop(kitchen, "broken", 4), "train_mean_nll")
    if broken[-4:] != straight:
        raise Wrong(f"straight {straight}, resumed {broken}")
    return f"4 steps = 2 + 2 steps, to the last digit ({straight[-1]!r})"


def _math_rl(kitchen: Kitchen, log: str, *settings: str) -> Metrics:
    return kitchen.recipe(
        "math_rl.train", log, "env=arithmetic", f"model_name={INKLING}", "group_size=4",
        "groups_per_batch=4", "max_tokens=8", "max_steps=3", "eval_every=0",
        "behavior_if_log_dir_exists=delete", *settings,
    )  # fmt: skip


def _on_policy(metrics: Metrics) -> str:
    gaps = column(metrics, "optim/kl_sample_train_v1")
    if max(map(abs, gaps)) > 1e-6:
        raise Wrong(f"sampler and trainer differ: {gaps}")
    return f"{len(gaps)} steps, kl_sample_train {max(map(abs, gaps)):.1g}"


def math_rl(kitchen: Kitchen) -> str:
    return _on_policy(
        _math_rl(kitchen, "rl", "loss_fn=importance_sampling", "compute_post_kl=True")
    )


def math_rl_async(kitchen: Kitchen) -> str:
    metrics = _math_rl(kitchen, "rl_async", "max_steps_off_policy=2")
    return f"{len(metrics)} steps, loss stable_reinforce"


def math_rl_stream(kitchen: Kitchen) -> str:
    metrics = _math_rl(
        kitchen, "rl_stream", "loss_fn=importance_sampling",
        "stream_minibatch_config.groups_per_batch=4", "stream_minibatch_config.num_minibatches=2",
    )  # fmt: skip
    return f"{len(metrics)} steps"


def dpo(kitchen: Kitchen) -> str:
    metrics = kitchen.recipe(
        "preference.dpo.train", "dpo", "dataset=hhh", f"model_name={kitchen.workspace.text_model}",
        "batch_size=8", "learning_rate=1e-3", "max_steps=6", "behavior_if_log_dir_exists=delete",
    )  # fmt: skip
    losses, margins = column(metrics, "dpo_loss"), column(metrics, "margin")
    if not math.isclose(losses[0], math.log(2), abs_tol=1e-6) or margins[0] != 0.0:
        raise Wrong(f"step 0: loss {losses[0]}, margin {margins[0]}")
    return f"loss 0.69315 to {losses[-1]:.3f}, margin 0 to {margins[-1]:.2f}"


def distillation(kitchen: Kitchen) -> str:
    metrics = kitchen.recipe(
        "distillation.on_policy_distillation", "distill", f"model_name={INKLING}",
        "teacher_model=thinkingmachines/Inkling", "groups_per_batch=8", "group_size=2",
        "max_tokens=32", "max_steps=3", "lora_rank=16", "eval_every=0", "learning_rate=5e-4",
        "behavior_if_log_dir_exists=delete",
    )  # fmt: skip
    kl = column(metrics, "teacher_kl")
    if not all(map(math.isfinite, kl)) or max(kl) > 1.0:
        raise Wrong(f"teacher and student share a family, yet teacher_kl is {kl}")
    return f"{len(kl)} steps, mean teacher_kl {sum(kl) / len(kl):.3f}"


def download(kitchen: Kitchen) -> str:
    """Both kinds of checkpoint that can be downloaded, by the cookbook's own function."""
    path = str(kitchen.checkpoints("chat_sl")[-1]["state_path"])
    target = kitchen.workspace.folder / "weights"
    kitchen.python(
        "-c",
        "import sys; from tinker_cookbook import weights; "
        "weights.download(tinker_path=sys.argv[1], output_dir=sys.argv[2])",
        path,
        str(target),
    )
    names = sorted(file.name for file in target.iterdir())
    if not {"adapter_config.json", "adapter_model.safetensors"} <= set(names):
        raise Wrong(f"downloaded {names}")
    rank = json.loads((target / "adapter_config.json").read_text())["r"]
    return f"{len(names)} files, rank {rank}"


def merge(kitchen: Kitchen) -> str:
    """Downloaded adapters become PEFT's and are merged, by the cookbook's own functions."""
    found = []
    for name, sizes in ARCHITECTURES.items():
        folder = kitchen.workspace.folder / "merged" / name.split("/")[-1]
        script = str(Path(__file__).with_name("merging.py"))
        output = kitchen.python(script, str(folder), name, json.dumps(sizes))
        (line,) = (line for line in output.splitlines() if line.startswith('{"tensors"'))
        told = json.loads(line)
        if not told["same"] or told["tensors"] != 30 or "lm_head" not in told["modules"]:
            raise Wrong(f"{name}: {told}")
        found.append(f"{sizes['model_type']} {told['tensors']} to {told['converted']} tensors")
    return "; ".join(found)


def chat_cli(kitchen: Kitchen) -> str:
    path = str(kitchen.checkpoints("chat_sl")[-1]["sampler_path"])
    output = kitchen.python(
        "-m", "tinker_cookbook.chat_app.tinker_chat_cli", f"base_model={INKLING}",
        f"model_path={path}", "max_tokens=64", stdin="Hello\nquit\n",
    )  # fmt: skip
    if "Error" in output:
        raise Wrong(output[-800:])
    return "answered"


def numerics(kitchen: Kitchen) -> str:
    """`compare_sampling_training_logprobs`: mean squared difference 0."""
    output = kitchen.script(
        "compare_sampling_training_logprobs", f'model_names=["{kitchen.workspace.served_model}"]'
    )
    found = re.search(r"'mse\[sample, train\]': ([-\d.e]+)", output)
    if not found or float(found[1]) != 0.0:
        raise Wrong(output[-800:])
    return "MSE 0.0"


def temperatures(kitchen: Kitchen) -> str:
    """`validate_temperature_logprobs`: every difference below 1e-5."""
    output = kitchen.script("validate_temperature_logprobs", f"base_model={INKLING}")
    rows = re.findall(r"^ +\d\.\d{3} +\d+ +\d+ +([\d.]+|nan) +([\d.]+|nan)", output, re.M)
    differences = [float(largest) for _, largest in rows]
    if len(differences) < 6 or not max(differences) < 1e-5:
        raise Wrong(output[-1200:])
    return f"{len(differences)} rows, largest difference {max(differences):.6f}"


RECIPES: dict[str, Callable[[Kitchen], str]] = {
    "chat_sl": chat_sl,
    "chat_cli": chat_cli,
    "download": download,
    "merge": merge,
    "sl_loop": sl_loop,
    "resume": resume,
    "math_rl": math_rl,
    "math_rl_async": math_rl_async,
    "math_rl_stream": math_rl_stream,
    "dpo": dpo,
    "distillation": distillation,
    "compare_sampling_training_logprobs": numerics,
    "validate_temperature_logprobs": temperatures,
}
FAST = ("chat_sl", "chat_cli", "download")
