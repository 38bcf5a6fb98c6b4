"""Packages that only some tokenizers need, and what to install when they are missing."""

from importlib import import_module
from types import ModuleType

from tinker_mock.tokenizer.errors import TokenizerError


def imported(package: str, what: str) -> ModuleType:
    """The package, or a TokenizerError `missing_package` that says how to get it."""
    try:
        return import_module(package)
    except ImportError as error:
        raise TokenizerError(
            "missing_package",
            f"{what} need the package {package.partition('.')[0]}.",
            fix="pip install 'tinker-mock[formats]'",
            detail=package,
        ) from error
