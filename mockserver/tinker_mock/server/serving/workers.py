"""`--workers N`: processes that serve one port together, begun anew when they end unasked."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

from tinker_mock.server.clock import machine_seconds
from tinker_mock.server.errors import ConfigurationError

Serve = Callable[[Callable[[], None]], int]
"""Serves until it is told to stop; calls its argument once it is ready, returns the exit code."""
FENCED = 75
"""The exit code of a server that others have taken over from."""
LOOK = 0.05
"""Seconds between looks whether one that is not ready has ended."""
SHORTEST = 1.0
"""Seconds after which a process that ends unasked is worth another one."""


class Workers:
    """`count` processes that each do `serve`; this one looks after them.

    Forks: nothing else may run in this process yet.
    """

    def __init__(self, count: int, serve: Serve) -> None:
        if not hasattr(os, "fork"):
            raise ConfigurationError("--workers: this system does not fork; start several servers")
        self.count = count
        self.serve = serve
        self._begun: dict[int, float] = {}
        self._stopping = False
        self._ready, self._tell = os.pipe()

    def run(self, ready: Callable[[], None]) -> int:
        """Until SIGINT or SIGTERM; returns the worst exit code. `ready` is called once all are."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        for _ in range(self.count):
            self._begin()
        worst = self._until_ready()
        if not worst:
            ready()
        while self._begun:
            worst = max(worst, self._ended())
        return worst

    def _begin(self) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            self._begun[pid] = machine_seconds()
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        code = 2
        try:
            code = self.serve(self._say_ready)
        except ConfigurationError as error:
            print(f"tinker-mock serve: {error}", file=sys.stderr)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _say_ready(self) -> None:
        os.write(self._tell, b".")

    def _until_ready(self) -> int:
        """Wait until all have said that they are ready, or one has ended; its exit code."""
        said = 0
        while said < self.count and not self._stopping:
            said += self._heard(LOOK)
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid:
                del self._begun[pid]
                self._stop()
                code = os.waitstatus_to_exitcode(status)
                return code if code > 0 else 2
        return 0

    def _heard(self, seconds: float) -> int:
        """How many have said something, within so many seconds."""
        found, _, _ = select.select([self._ready], [], [], seconds)
        return len(os.read(self._ready, self.count)) if found else 0

    def _ended(self) -> int:
        """Wait until one has ended; in its place there is another one, if it was not asked to."""
        try:
            pid, status = os.wait()
        except InterruptedError:
            return 0
        code = os.waitstatus_to_exitcode(status)
        lived = machine_seconds() - self._begun.pop(pid)
        if self._stopping:
            return max(code, 0)
        print(
            f"tinker-mock serve: worker {pid} ended ({code}); another one begins", file=sys.stderr
        )
        if lived < SHORTEST:
            self._heard(SHORTEST)  # or until this one is told to stop
        self._begin_again()
        return 0

    def _begin_again(self) -> None:
        if not self._stopping:
            self._begin()

    def _stop(self, *_: object) -> None:
        self._stopping = True
        self._say_ready()
        for pid in self._begun:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
