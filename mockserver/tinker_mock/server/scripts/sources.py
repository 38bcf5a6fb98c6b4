"""Scripts in all the forms that a start can be given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tinker_mock.server.errors import ConfigurationError
from tinker_mock.server.scripts.reader import read_scripts
from tinker_mock.server.scripts.script import AnswerFunction, Script, ScriptFault, script_of

ScriptSource = Path | str | Mapping[str, Any] | AnswerFunction | Script
"""A YAML file, a script's fields, or a function from prompt to answer."""


def scripts_from(source: ScriptSource | Iterable[ScriptSource] | None) -> list[Script]:
    """All scripts of the source, in order. Raises ConfigurationError."""
    if source is None:
        return []
    if isinstance(source, Path | str):
        return read_scripts(Path(source))
    if isinstance(source, Script):
        return [source]
    try:
        if isinstance(source, Mapping):
            return [script_of(source)]
        if callable(source):
            return [script_of({"name": getattr(source, "__name__", "function")}, source)]
    except (ScriptFault, TypeError) as fault:
        raise ConfigurationError(f"scripts: {fault}") from fault
    return [script for one in source for script in scripts_from(one)]
