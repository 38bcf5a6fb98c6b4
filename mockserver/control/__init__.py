"""The control API under `/_mock`: looking into the running mock and steering it."""

from mockserver.control.routes import control_routes

__all__ = ["control_routes"]
