"""The control API under `/_mock`: looking into the running mock and steering it."""

from tinker_mock.server.control.routes import control_routes

__all__ = ["control_routes"]
