"""tinkerscope, as it is: what it discovers, its probe, and chats through its own command line.

Prints what it answered as one line of JSON.
"""

import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

from taught import ANSWER, BIN, MODEL, QUESTION, asked, free_port, running, taught

SCOPE = str(BIN / "tinkerscope")


def main(folder: Path) -> None:
    run = taught(folder / "run")
    port = free_port()
    page = f"http://127.0.0.1:{port}"

    def said(*words: str) -> str:
        done = subprocess.run(
            [SCOPE, "--base-url", page, *words], capture_output=True, text=True, timeout=120
        )
        return done.stdout + done.stderr

    with running([SCOPE, "serve", str(folder), "--port", str(port)], f"{page}/api/health"):
        probe = f"{page}/api/tinker-models/probe?sampler_path="
        lost = run.sampler_path.replace("000040", "999999")
        seen = {
            "run": run.run_id,
            "sampler": run.sampler_path,
            "model": MODEL,
            "wanted": ANSWER,
            "health": asked(f"{page}/api/health"),
            "runs": asked(f"{page}/api/models"),
            "models": asked(f"{page}/api/tinker-models"),
            "probe": asked(probe + quote(run.sampler_path, safe="")),
            "lost": asked(probe + quote(lost, safe="")),
            "checkpoints": said("checkpoints", "run"),
            "chat": said("chat", "run@000040", QUESTION, "--temperature", "0", "--json"),
            "base": said("probe", f"base:{MODEL}", QUESTION, "--max-tokens", "16", "--json"),
        }
    print(json.dumps(seen))


main(Path(sys.argv[1]))
