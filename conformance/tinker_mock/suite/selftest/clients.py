"""Parts that judge clients."""

import sys
from importlib.resources import files
from typing import TYPE_CHECKING

from tinker_mock.suite.client.audit import audit_client
from tinker_mock.suite.sdk.environment import EnvironmentMissing, newest, process

if TYPE_CHECKING:
    from tinker_mock.suite.selftest.section import Outcome, Plan

RECIPES = "tinker_mock.suite.client.recipes"
SDK_CIRCUMSTANCES = ("healthy", "pending", "unavailable", "lost", "failing")
PATIENCE = 300.0
"""Seconds that a program may take on a busy machine."""


def reference_client(plan: "Plan") -> "Outcome":
    """The reference client under every circumstance."""
    from tinker_mock.suite.selftest.section import Outcome

    command = [sys.executable, "-m", f"{RECIPES}.reference_client"]
    return Outcome("reference-client", audit_client(command, timeout=PATIENCE, jobs=3))


def newest_sdk(plan: "Plan") -> "Outcome":
    """The newest real SDK, if its environment is there."""
    from tinker_mock.suite.selftest.section import Outcome

    release = newest()
    try:
        python, environment = process(release)
    except EnvironmentMissing as missing:
        return Outcome("tinker-sdk", notes=[f"skipped: {missing}"])
    recipe = str(files(RECIPES) / "python_sdk.py")
    found = audit_client(
        [python, recipe], SDK_CIRCUMSTANCES, timeout=PATIENCE, environment=environment, jobs=2
    )
    for verdict in found:
        verdict.scenario = f"tinker {release}: {verdict.scenario}"
    return Outcome("tinker-sdk", found, [f"tinker {release}"])
