"""The command line, `tinker-mock`.

Each command is one module with `add_arguments(parser)` and `run(arguments) -> int`. Modules are
imported only when their command is asked for: `serve` must not pay for schemathesis.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

COMMANDS = {
    "conformance": ("tinker_mock.suite.command", "judge a server; list, explain, compare"),
    "serve": ("tinker_mock.server.serving.command", "start the mock server"),
    "scenarios": (
        "tinker_mock.server.scenarios.command",
        "how the mock can misbehave; check a file",
    ),
    "proxy": (
        "tinker_mock.server.serving.proxy_command",
        "forward to a real endpoint and judge what passes",
    ),
    "record": ("tinker_mock.suite.cassettes.record_command", "record cassettes of clients"),
    "replay": (
        "tinker_mock.suite.cassettes.replay_command",
        "replay cassettes to client or server",
    ),
    "client": ("tinker_mock.client.commands.client", "checkpoints, runs and samples of a server"),
    "sdk-env": (
        "tinker_mock.suite.sdk.environment",
        "install real SDK releases side by side",
    ),
    "audit": ("tinker_mock.suite.auditing", "real SDK releases, or any client, against the mock"),
    "sdk-drift": ("tinker_mock.suite.commands.sdk_drift", "what a new SDK release changed"),
    "tokenize": ("tinker_mock.tokenizer.command", "encode, decode, stream or render a text"),
    "vectors": ("tinker_mock.suite.vectors.command", "run parity-vector files"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the process exit code (2 for wrong usage)."""
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="tinker-mock",
        description="An offline simulator of the Tinker API and a conformance suite for it.",
        epilog="tinker-mock COMMAND --help explains one command.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    wanted = next((word for word in argv if not word.startswith("-")), None)
    for name, (module, summary) in COMMANDS.items():
        command = commands.add_parser(
            name, help=summary, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        if name == wanted:
            import_module(module).add_arguments(command)
    arguments = parser.parse_args(argv)
    module, _ = COMMANDS[arguments.command]
    return int(import_module(module).run(arguments) or 0)


if __name__ == "__main__":
    sys.exit(main())
