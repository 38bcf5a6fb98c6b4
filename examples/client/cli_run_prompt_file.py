"""Sample from a file of token ids, into a file of JSON."""

import io
import json
import tempfile
from pathlib import Path

from tinker_mock.client.commands.client import main
from tinker_mock.client.commands.terminal import Terminal

with tempfile.TemporaryDirectory() as folder:
    prompt, output = Path(folder) / "prompt.json", Path(folder) / "output.json"
    prompt.write_text("[100, 101, 102]")
    argv = [
        "run",
        "--base-model",
        "Qwen/Qwen3-8B",
        "--prompt-file",
        str(prompt),
        "--max-tokens",
        "4",
    ]
    terminal = Terminal(out=io.StringIO(), err=io.StringIO())
    print("exit", main([*argv, "--json", "--output", str(output)], terminal))
    print("tokens", len(json.loads(output.read_text())["sequences"][0]["tokens"]))
