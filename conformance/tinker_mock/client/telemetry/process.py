"""One name for this process, the same in all its sessions; a forked child gets its own."""

import os
import uuid
from functools import cache


def process_uuid() -> str:
    """The name of the process that asks."""
    return _named(os.getpid())


@cache
def _named(pid: int) -> str:
    return str(uuid.uuid4())
