"""Is anybody there? Asked before a run, so that an address is not judged as a server."""

import threading
import time

import httpx

PAUSE = 0.25
PATIENCE = 10.0
"""Seconds that a first answer may take."""


class Unreachable(Exception):
    """The target cannot be judged; the message is one line for people."""


def reach(url: str, wait: float = 0.0) -> None:
    """Return once something answers HTTP at the URL; raises Unreachable after `wait` seconds."""
    if not url.startswith(("http://", "https://")):
        raise Unreachable(f"--target {url}: write it with its scheme, like http://{url}")
    limit = time.monotonic() + wait
    while True:
        try:
            httpx.get(f"{url.rstrip('/')}/api/v1/healthz", timeout=PATIENCE, trust_env=False)
            return
        except httpx.InvalidURL as error:
            raise Unreachable(f"--target {url}: {error}") from error
        except httpx.TimeoutException:
            return  # somebody is there and does not answer: that is for the suite to judge
        except httpx.HTTPError as error:
            if time.monotonic() >= limit:
                told = str(error) or type(error).__name__
                raise Unreachable(f"cannot reach {url}: {told}") from error
        threading.Event().wait(PAUSE)
