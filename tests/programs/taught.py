"""A model that was taught one answer, with the service's address as every program knows it.

Runs in the environment of the programs, under `tinker-mock run --intercept`.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.pop("TINKER_BASE_URL", None)  # what the mock set: here it must not be needed

import tinker
from tinker import types
from tinker_cookbook import checkpoint_utils, model_info, renderers, tokenizer_utils
from tinker_cookbook.supervised.data import conversation_to_datum

MODEL = "Qwen/Qwen3.5-9B-Base"
"""Its renderer stops at words: the text endpoint takes no token ids there."""
QUESTION, ANSWER = "Which ship was Darwin's?", "The Beagle, of course."
BIN = Path(sys.executable).parent
PATIENCE = 120
"""Seconds that a program may take to come up on a busy machine."""


@dataclass(frozen=True)
class Taught:
    """A finished run: its log folder is one that the cookbook's loops leave."""

    run_id: str
    state_path: str
    sampler_path: str


def taught(folder: Path) -> Taught:
    """Train until the answer is known, and save both kinds of checkpoint."""
    name = model_info.get_recommended_renderer_name(MODEL)
    renderer = renderers.get_renderer(name, tokenizer_utils.get_tokenizer(MODEL))
    messages = [
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": ANSWER},
    ]
    datum = conversation_to_datum(
        messages, renderer, 512, renderers.TrainOnWhat.ALL_ASSISTANT_MESSAGES
    )
    created = tinker.ServiceClient().create_lora_training_client(base_model=MODEL, rank=8)
    training = created.result()
    for _ in range(40):
        training.forward_backward([datum], "cross_entropy")
        training.optim_step(types.AdamParams(learning_rate=2e-4)).result()
    folder.mkdir()
    settings = {
        "model_name": MODEL,
        "lora_rank": 8,
        "learning_rate": 2e-4,
        "dataset_builder": {"common_config": {"renderer_name": name}},
    }
    (folder / "config.json").write_text(json.dumps(settings))
    saved = checkpoint_utils.save_checkpoint(
        training, "000040", str(folder), {"batch": 40}, kind="both"
    )
    return Taught(training.get_info().model_id, saved["state_path"], saved["sampler_path"])


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def running(command: list[str], address: str, **variables: str) -> Iterator[None]:
    """A program that serves, from when its address answers until the block ends."""
    with subprocess.Popen(
        command, env={**os.environ, **variables}, stdout=sys.stderr, stderr=sys.stderr
    ) as process:
        try:
            end = time.monotonic() + PATIENCE
            while not _answers(address):
                if process.poll() is not None or time.monotonic() > end:
                    raise SystemExit(f"{command[0]} did not come up")
            yield
        finally:
            process.terminate()


def _answers(address: str) -> bool:
    try:
        urllib.request.urlopen(address, timeout=PATIENCE).close()
    except urllib.error.URLError:
        return False
    return True


def asked(address: str, body: Any = None, method: str | None = None) -> Any:
    """The JSON answer; a refusal's status and body."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"content-type": "application/json"})
    request.method = method or ("GET" if data is None else "POST")
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refusal:
        return {"status": refusal.code, "said": json.load(refusal)}
