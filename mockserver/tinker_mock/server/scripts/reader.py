"""Scripts from YAML, with the line of what is wrong."""

from __future__ import annotations

from pathlib import Path

from tinker_mock.server.errors import ConfigurationError
from tinker_mock.server.scripts.script import Script, ScriptFault, script_of
from tinker_mock.server.yaml_section import ScenarioError, Section, read_section


def read_scripts(path: Path) -> list[Script]:
    """The file's scripts, in order. Raises ConfigurationError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"scripts: {path}: {error}") from error
    try:
        return parse_scripts(text, str(path))
    except ScenarioError as error:
        raise ConfigurationError(str(error)) from error


def parse_scripts(text: str, source: str) -> list[Script]:
    """The scripts of a YAML text. Raises ScenarioError with the line of what is wrong."""
    top = read_section(text, source)
    found = [_script(section) for section in top.sections("scripts")]
    top.finish()
    return found


def _script(section: Section) -> Script:
    try:
        return script_of(section.value)
    except ScriptFault as fault:
        raise section.fail(fault.field, f"{fault.rule}. {fault.fix}") from None
    except TypeError as error:
        raise section.fail("", f"cannot be read: {error}") from None
