"""better-tinker's bridge, as it is: its lists, publish, delete, and a chat with a checkpoint.

Prints what it answered as one line of JSON.
"""

import json
import sys
from pathlib import Path

from taught import ANSWER, BIN, MODEL, QUESTION, asked, free_port, running, taught

BY_IDS = {"model_path": "Qwen/Qwen3-8B", "base_model": "Qwen/Qwen3-8B"}


def main(folder: Path) -> None:
    run = taught(folder / "run")
    port = free_port()
    bridge = f"http://127.0.0.1:{port}"
    seen = {"run": run.run_id, "state": run.state_path, "sampler": run.sampler_path}
    with running([str(BIN / "tinker-bridge")], f"{bridge}/health", TINKER_BRIDGE_PORT=str(port)):
        path = {"tinker_path": run.sampler_path}
        talk = {"model_path": run.sampler_path, "base_model": MODEL, "temperature": 0.0}
        talk["messages"] = [{"role": "user", "content": QUESTION}]
        seen |= {
            "health": asked(f"{bridge}/health"),
            "runs": asked(f"{bridge}/training_runs"),
            "one": asked(f"{bridge}/training_runs/{run.run_id}"),
            "checkpoints": asked(f"{bridge}/training_runs/{run.run_id}/checkpoints"),
            "mine": asked(f"{bridge}/users/checkpoints"),
            "usage": asked(f"{bridge}/users/usage"),
            "published": asked(f"{bridge}/checkpoints/publish", path),
            "published again": asked(f"{bridge}/checkpoints/publish", path),
            "unpublished": asked(f"{bridge}/checkpoints/unpublish", path),
            "chat": asked(f"{bridge}/chat", talk),
            "stops are ids": asked(f"{bridge}/chat", {**talk, **BY_IDS}),
            "wanted": ANSWER,
            "deleted": asked(f"{bridge}/checkpoints/delete", {"tinker_path": run.state_path}),
            "left": asked(f"{bridge}/training_runs/{run.run_id}/checkpoints"),
        }
    print(json.dumps(seen))


main(Path(sys.argv[1]))
