"""The table of commands: what each is called, the module it lives in, what it does.

A command is a module with `add_arguments(parser)` and `run(arguments) -> int`. Its docstring is its
help, examples last. It is imported when it is asked for and not before: `serve` must not pay for
the suite.
"""

COMMANDS = {
    "serve": ("server.serving.command", "start the mock server"),
    "run": ("server.serving.run_command", "run a program against a mock of its own"),
    "proxy": ("server.serving.proxy_command", "forward to a real endpoint and judge what passes"),
    "data": ("server.serving.data_command", "look into a data directory, move it, make it small"),
    "tokenizers": ("server.serving.tokenizers_command", "which tokenizers are here; stand-ins"),
    "scenarios": ("server.scenarios.command", "how the mock can misbehave; check a file"),
    "explain quirk": ("server.quirks.command", "what a quirk does, and who says so"),
    "conformance run": ("suite.commands.run", "judge a server"),
    "conformance provider": ("suite.commands.provider", "judge a provider of a Kimi model"),
    "conformance tokenizer": ("suite.commands.tokenizer", "judge a tokenizer"),
    "conformance list": ("suite.commands.listing", "list the checks"),
    "conformance explain": ("suite.commands.explain", "what a check or requirement is about"),
    "conformance baseline": ("suite.commands.baseline", "write a baseline from a results file"),
    "conformance compare": ("suite.commands.compare", "show what differs between two results"),
    "conformance matrix": ("suite.commands.matrix", "one page of targets x checks"),
    "conformance ledger": ("suite.commands.ledger", "write the ledger as a Markdown page"),
    "conformance fidelity": (
        "suite.commands.fidelity",
        "write how the mock differs from the service",
    ),
    "conformance self": ("suite.commands.self_test", "judge this project by its own suite"),
    "audit sdk": ("suite.sdk.command", "real SDK releases against the mock, step by step"),
    "audit client": ("suite.client.command", "any program, judged by what it says"),
    "record": ("suite.cassettes.record_command", "record cassettes of clients"),
    "replay": ("suite.cassettes.replay_command", "replay cassettes to client or server"),
    "client": ("client.commands.client", "checkpoints, runs and samples of a server"),
    "tokenize": ("tokenizer.command", "encode, decode, stream or render a text"),
    "vectors": ("suite.vectors.command", "run parity-vector files"),
    "sdk-env": ("suite.sdk.environment", "install real SDK releases side by side"),
    "sdk-drift": ("suite.commands.sdk_drift", "what a new SDK release changed"),
    "examples": ("cli.examples", "short programs to start from"),
    "completion": ("cli.completion", "print a completion script for your shell"),
}

GROUPS = {
    "": "an offline simulator of the Tinker API and a conformance suite for it",
    "conformance": "judge a server, a provider or a tokenizer; list, explain, compare",
    "explain": "what a name of this project means",
    "audit": "judge real SDK releases, or any client, by what they say to the mock",
}

NOTES = {
    "": "tinker-mock help COMMAND explains one command; tinker-mock --version says which this is.",
    "conformance": """exit codes:
  0  conformant, or as the baseline (or nothing asked for was wrong)
  1  not conformant: a MUST failed, could not be tested or was not judged, or the baseline is stale
  2  wrong usage, or the suite itself failed""",
}

EXTRAS = {
    "suite": "conformance",
    "client": "client",
    "tokenizer": "text",
    "server.serving.proxy_command": "proxy",
    "cli.completion": "completion",
}
"""The extra of the distribution that the modules below a name need; the others need none."""


def extra_of(module: str) -> str:
    """The extra a command's module needs, or ''."""
    names = [name for name in EXTRAS if f"{module}.".startswith(f"{name}.")]
    return EXTRAS[max(names, key=len)] if names else ""
