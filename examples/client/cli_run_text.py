"""Sample a text from the command line."""

import io

from tinker_mock.client.commands.client import main
from tinker_mock.client.commands.terminal import Terminal

terminal = Terminal(out=io.StringIO(), err=io.StringIO())
argv = [
    "run",
    "--base-model",
    "Qwen/Qwen3-8B",
    "--prompt",
    "Hello",
    "--max-tokens",
    "4",
    "--seed",
    "1",
]
print("exit", main(argv, terminal))
print(terminal.out.getvalue().splitlines()[0])
