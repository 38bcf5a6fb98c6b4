"""The `tinker` command line: one command as a process, the rest in this one.

A client that stands in for the SDK names its own command line in AUDIT_COMMAND.
"""

import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from typing import Any

from .rest import session_id
from .step import MODEL, NotInRelease, Shared, released, step


def tinker(*words: str, answer: str | None = None) -> Any:
    """Run a command with JSON output; its parsed output, or its text.

    Raises NotInRelease if the release has no such command, AssertionError if it failed.
    """
    if "AUDIT_COMMAND" in os.environ:
        return stand_in(*words, "--json")
    from click.testing import CliRunner
    from tinker.cli.__main__ import main_cli

    ran = CliRunner().invoke(main_cli, ["--format", "json", *words], input=answer)
    said = ran.output + (repr(ran.exception) if ran.exception else "")
    if ran.exit_code == 2 and ("No such command" in said or "No such option" in said):
        raise NotInRelease(f"no `tinker {' '.join(words[:2])}`")
    assert ran.exit_code == 0, said[-500:]
    try:
        return json.loads(ran.stdout)
    except json.JSONDecodeError:
        return ran.stdout


def stand_in(*words: str) -> Any:
    """The same with the command line of a stand-in for the SDK."""
    command = [*json.loads(os.environ["AUDIT_COMMAND"]), *words]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if ran.returncode == 2 and "invalid choice" in ran.stderr:
        raise NotInRelease(f"no `{' '.join(words[:2])}`")
    assert ran.returncode == 0, (ran.stdout + ran.stderr)[-500:]
    try:
        return json.loads(ran.stdout)
    except json.JSONDecodeError:
        return ran.stdout


@step("cli/version", "python -m tinker.cli version")
def version(shared: Shared) -> None:
    if "AUDIT_COMMAND" in os.environ:
        stand_in("version")
        return
    command = [sys.executable, "-m", "tinker.cli", "version"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr[-500:]


@step("cli/run-list", "tinker run list")
def run_list(shared: Shared) -> None:
    assert shared.training.model_id in json.dumps(tinker("run", "list"))


@step("cli/run-info", "tinker run info")
def run_info(shared: Shared) -> None:
    assert MODEL in json.dumps(tinker("run", "info", shared.training.model_id))


@step("cli/checkpoint-list", "tinker checkpoint list")
def checkpoint_list(shared: Shared) -> None:
    assert shared.state in json.dumps(tinker("checkpoint", "list"))
    run = tinker("checkpoint", "list", "--run-id", shared.training.model_id)
    assert shared.state in json.dumps(run)


@step("cli/checkpoint-info", "tinker checkpoint info")
def checkpoint_info(shared: Shared) -> None:
    assert "kept" in json.dumps(tinker("checkpoint", "info", shared.state))


@step("cli/checkpoint-publish", "tinker checkpoint publish and unpublish")
def checkpoint_publish(shared: Shared) -> None:
    tinker("checkpoint", "publish", shared.state)
    tinker("checkpoint", "unpublish", shared.state)


@step("cli/checkpoint-set-ttl", "tinker checkpoint set-ttl")
def checkpoint_set_ttl(shared: Shared) -> None:
    tinker("checkpoint", "set-ttl", shared.state, "--ttl", "7200")
    tinker("checkpoint", "set-ttl", shared.state, "--remove")


@step("cli/checkpoint-download", "tinker checkpoint download")
def checkpoint_download(shared: Shared) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = shared.state if released("0.36") else shared.sampler_path
        tinker("checkpoint", "download", path, "--output", directory)


@step("cli/checkpoint-delete", "tinker checkpoint delete")
def checkpoint_delete(shared: Shared) -> None:
    path = shared.training.save_state("doomed-too").result().path
    try:
        tinker("checkpoint", "delete", path, "--yes")
    except AssertionError as said:
        if "unexpected extra argument" not in str(said):
            raise
        reason = "`checkpoint delete PATH` runs the command `list` in place of the builtin"
        raise NotInRelease(reason) from None
    assert path not in json.dumps(tinker("checkpoint", "list"))


@step("cli/session-export-trace", "tinker session export-trace")
def session_export_trace(shared: Shared) -> None:
    with tempfile.TemporaryDirectory() as directory:
        name = f"{directory}/trace"
        tinker("session", "export-trace", session_id(shared), "--output", name)


@step("cli/billing-usage", "tinker billing usage")
def billing_usage(shared: Shared) -> None:
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    window = (hour - timedelta(hours=1), hour + timedelta(hours=1))
    tinker("billing", "usage", *(at.strftime("%Y-%m-%dT%H:%M:%SZ") for at in window))


@step("cli/billing-storage", "tinker billing checkpoint-storage")
def billing_storage(shared: Shared) -> None:
    tinker("billing", "checkpoint-storage")


@step("cli/model-list", "tinker model list")
def model_list(shared: Shared) -> None:
    assert MODEL in json.dumps(tinker("model", "list"))


@step("cli/auth-status", "tinker auth status")
def auth_status(shared: Shared) -> None:
    tinker("auth", "status")


@step("cli/auth-whoami", "tinker auth whoami")
def auth_whoami(shared: Shared) -> None:
    try:
        tinker("auth", "whoami")
    except AssertionError as said:
        if "jwt" not in str(said).lower():
            raise
        raise NotInRelease("without JWT authentication whoami is refused by the SDK") from None
