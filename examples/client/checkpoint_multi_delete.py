"""Several checkpoints deleted at once from the command line, after one question."""

import io

from tinker_mock.client import ServiceClient
from tinker_mock.client.commands.client import main
from tinker_mock.client.commands.terminal import Terminal

with ServiceClient() as service:
    training = service.create_lora_training_client("Qwen/Qwen3-8B", rank=8)
    paths = [training.save_state(name).result().path for name in ("one", "two")]
    terminal = Terminal(out=io.StringIO(), answers=io.StringIO("y\n"))
    code = main(["checkpoint", "delete", *paths], terminal)
    print("exit", code, "deleted", terminal.out.getvalue().count("Deleted"))
