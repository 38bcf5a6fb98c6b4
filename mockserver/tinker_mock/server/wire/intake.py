"""What clients may send: the size of one body, of all that are being read, and how slowly."""

import threading
from dataclasses import dataclass

from tinker_mock.server.budget import MIB
from tinker_mock.server.errors import ServiceError, TooManyRequests
from tinker_mock.server.settings import BodyLimits
from tinker_mock.server.wire.deadlines import Deadlines


class TooLarge(ServiceError):
    """The body is larger than the server takes."""

    status = 413
    kind = "too_large"


class TooSlow(ServiceError):
    """The body did not arrive in time."""

    status = 408
    kind = "timeout"


@dataclass
class Load:
    """The bytes that one request holds."""

    held: int = 0


class Intake:
    """The bodies that are held for requests under way, compressed and not."""

    def __init__(self, limits: BodyLimits) -> None:
        self.limits = limits
        self.most = limits.body * MIB
        self.held = 0
        self.deadlines = Deadlines(limits.patience)
        self._lock = threading.Lock()

    def refuse_declared(self, length: str) -> None:
        """Raises TooLarge for a Content-Length beyond the limit, before anything is read."""
        if length.isdecimal() and (len(length) > 15 or int(length) > self.most):
            raise self.too_large()

    def take(self, load: Load, size: int) -> None:
        """Hold `size` bytes more for a request; raises TooManyRequests when there is no room."""
        with self._lock:
            if self.held + size > self.limits.in_flight * MIB:
                raise self._full()
            self.held += size
        load.held += size

    def release(self, load: Load) -> None:
        """The request is over."""
        if load.held:
            with self._lock:
                self.held -= load.held
            load.held = 0

    def too_large(self) -> TooLarge:
        return TooLarge(
            f"body: larger than {self.limits.body} MiB",
            rule=f"at most {self.limits.body} MiB, decompressed",
            fix="send less at a time, or serve with a greater --max-body",
        )

    def _full(self) -> TooManyRequests:
        error = TooManyRequests(
            f"the server is reading {self.limits.in_flight} MiB of bodies already",
            rule=f"at most {self.limits.in_flight} MiB of bodies at a time",
            fix="wait and repeat the request, or serve with a greater --max-in-flight",
        )
        error.headers = {"Retry-After": "1"}
        return error
