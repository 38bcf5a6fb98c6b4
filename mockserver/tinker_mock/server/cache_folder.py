"""Where things that are made once are kept between runs."""

import os
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
