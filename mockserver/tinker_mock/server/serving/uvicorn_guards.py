"""What uvicorn lacks against clients that mean harm: a limit on connections, and time for heads."""

import asyncio
from typing import Any

from tinker_mock.server.serving.crowd import Crowd


def guarded(protocol: type[Any], crowd: Crowd, patience: float) -> type[Any]:
    """uvicorn's HTTP protocol, whose connections are in the crowd, and end when they bring no
    whole head for so many seconds."""

    class Guarded(protocol):  # type: ignore[misc]
        """Idle from its beginning, and from the end of each answer, to the end of a head."""

        _waiting: asyncio.TimerHandle | None = None
        _refused = False

        def connection_made(self, transport: asyncio.Transport) -> None:
            if not crowd.enter(transport):
                self._refused = True
                return
            super().connection_made(transport)
            self._wait()

        def data_received(self, data: bytes) -> None:
            if self._refused:
                return
            super().data_received(data)
            if self.cycle is not None and not self.cycle.response_complete:
                self._end_wait()
                crowd.busy(self.transport)

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if not self.transport.is_closing():
                crowd.idle(self.transport)
                self._wait()

        def connection_lost(self, error: Exception | None) -> None:
            if self._refused:
                return
            self._end_wait()
            crowd.leave(self.transport)
            super().connection_lost(error)

        def _wait(self) -> None:
            self._end_wait()
            self._waiting = asyncio.get_running_loop().call_later(patience, self.transport.close)

        def _end_wait(self) -> None:
            if self._waiting is not None:
                self._waiting.cancel()
                self._waiting = None

    return Guarded
