"""Sections that judge clients."""

import sys
from importlib.resources import files

from tinker_mock.suite.client.audit import audit_client
from tinker_mock.suite.sdk.environment import EnvironmentMissing, newest, process
from tinker_mock.suite.selftest.section import Options, SectionResult

RECIPES = "tinker_mock.suite.client.recipes"
SDK_SITUATIONS = ("healthy", "pending", "unavailable", "lost", "failing")


def reference_client(options: Options) -> SectionResult:
    """The reference client under every situation."""
    command = [sys.executable, "-m", f"{RECIPES}.reference_client"]
    return SectionResult("reference-client", audit_client(command, jobs=3))


def newest_sdk(options: Options) -> SectionResult:
    """The newest real SDK, if its environment is there."""
    release = newest()
    try:
        python, environment = process(release)
    except EnvironmentMissing as missing:
        return SectionResult("tinker-sdk", notes=[f"skipped: {missing}"])
    recipe = str(files(RECIPES) / "python_sdk.py")
    found = audit_client([python, recipe], SDK_SITUATIONS, environment=environment, jobs=2)
    for verdict in found:
        verdict.scenario = f"tinker {release}: {verdict.scenario}"
    return SectionResult("tinker-sdk", found, [f"tinker {release}"])
