"""The reference client, unmodified, against any server: one line a step. See conformance/baselines.

    TINKER_BASE_URL=… TINKER_API_KEY=… python tests/peers/core_loop.py [--model M] [--preset P]

Exit code 0 if every step worked, else 1. Each step is given `--patience` seconds, for clients
retry a server's 5xx for minutes.
"""

import argparse
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from tinker_mock.client import PRESETS, AdamParams, Datum, ModelInput, SamplingParams, ServiceClient

TOKENS = [11, 12, 13, 14, 15, 16]


class Steps:
    """Named steps, each bounded in time; a step without its prerequisite is skipped."""

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self.failed: list[str] = []
        self._pool = ThreadPoolExecutor(16, thread_name_prefix="step")

    def take(self, name: str, work: Callable[[], Any], *needs: object) -> Any:
        """The step's value, or None if it failed."""
        if any(need is None for need in needs):
            return self._tell(name, "skipped: an earlier step failed")
        running: Future[Any] = self._pool.submit(work)
        try:
            value = running.result(self.patience)
        except TimeoutError:
            return self._tell(name, f"no result in {self.patience:g} s")
        except Exception as error:
            return self._tell(name, f"{type(error).__name__}: {error}")
        print(f"ok    {name}")
        return value

    def _tell(self, name: str, why: str) -> None:
        self.failed.append(name)
        print(f"FAIL  {name}: {' '.join(why.split())[:160]}")


def train(steps: Steps, service: ServiceClient, model: str) -> None:
    """Create, look, learn, save, sample, restore."""
    data = [
        Datum.of(ModelInput.from_ints(TOKENS[:-1]), target_tokens=TOKENS[1:], weights=[1.0] * 5)
    ]
    new = steps.take("create_model", lambda: service.create_lora_training_client(model, rank=8))
    steps.take("get_info", lambda: new.get_info(), new)
    steps.take("forward", lambda: new.forward(data, "cross_entropy").result(), new)
    steps.take(
        "forward_backward", lambda: new.forward_backward(data, "cross_entropy").result(), new
    )
    steps.take("optim_step", lambda: new.optim_step(AdamParams(1e-3)).result(), new)
    state = steps.take("save_state", lambda: new.save_state("kept").result().path, new)
    path = steps.take(
        "save_weights_for_sampler", lambda: new.save_weights_for_sampler("shown").result().path, new
    )
    restore = service.create_training_client_from_state_with_optimizer
    steps.take("restore", lambda: restore(state), state)
    sample(steps, service, "base", model, base_model=model)
    sample(steps, service, "trained", path, model_path=path)


def sample(steps: Steps, service: ServiceClient, name: str, ready: object, **origin: Any) -> None:
    """Open a sampling client and draw from it."""
    opened = steps.take(
        f"sampling_client ({name})", lambda: service.create_sampling_client(**origin), ready
    )
    prompt, params = ModelInput.from_ints(TOKENS), SamplingParams(max_tokens=4, seed=3)
    steps.take(f"sample ({name})", lambda: opened.sample(prompt, 1, params).result(), opened)


def main() -> int:
    """Run the loop; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="", help="base model (default: the first one offered)")
    parser.add_argument("--preset", default="python-latest")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", dest="changes")
    parser.add_argument("--patience", type=float, default=20.0, metavar="S")
    arguments = parser.parse_args()
    steps = Steps(arguments.patience)
    changes: Any = dict(change.split("=", 1) for change in arguments.changes)
    preset = replace(PRESETS[arguments.preset], **changes) if changes else arguments.preset
    service = ServiceClient(preset=preset)
    offered = steps.take("capabilities", lambda: service.get_server_capabilities().model_names)
    model = arguments.model or next(iter(offered or ()), None)
    if model:
        train(steps, service, model)
    print(f"{len(steps.failed)} step(s) failed" if steps.failed else "every step worked")
    sys.stdout.flush()
    return 1 if steps.failed or not model else 0


if __name__ == "__main__":
    sys.exit(main())
