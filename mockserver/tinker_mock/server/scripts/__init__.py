"""Answers written beforehand: what a script says, how a model's family writes it, whom it fits."""

from tinker_mock.server.scripts.collection import Added, Scripts
from tinker_mock.server.scripts.reader import read_scripts
from tinker_mock.server.scripts.script import AnswerFunction, Script, ScriptFault, script_of
from tinker_mock.server.scripts.sources import ScriptSource, scripts_from

__all__ = [
    "Added",
    "AnswerFunction",
    "Script",
    "ScriptFault",
    "ScriptSource",
    "Scripts",
    "read_scripts",
    "script_of",
    "scripts_from",
]
