"""Where things that are made once are kept between runs."""

import hashlib
import os
from functools import cache
from pathlib import Path

ENVIRONMENT = "TINKER_MOCK_CACHE"


def cache_folder() -> Path | None:
    """`TINKER_MOCK_CACHE`, else `$XDG_CACHE_HOME/tinker-mock`, else `~/.cache/tinker-mock`.

    None for nowhere (`off`).
    """
    named = os.environ.get(ENVIRONMENT)
    if named == "off":
        return None
    if named:
        return Path(named)
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "tinker-mock"


@cache
def digest_of(*files: Path) -> str:
    """A digest of what is in these files: for names of what is made by code and data that change,
    so that nothing older is taken for it."""
    found = hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        found.update(len(content).to_bytes(8, "little") + content)
    return found.hexdigest()
