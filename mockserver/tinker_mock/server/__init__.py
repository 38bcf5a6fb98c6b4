"""The simulator: a Starlette app whose routes, validation and errors come from the contracts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from tinker_mock.server.serving.in_process import TinkerRouter

__all__ = ["create_app", "respx_router"]


def create_app(**settings: Any) -> Starlette:
    """The mock as an ASGI app, for httpx's ASGITransport or any server; see `Settings`."""
    from tinker_mock.server.app import create_app as create
    from tinker_mock.server.settings import Settings

    return create(Settings(**settings))


def respx_router(base_url: str = "https://tinker.mock", **settings: Any) -> TinkerRouter:
    """A respx router that answers everything under `base_url` with a mock of its own.

    Use it as a context manager; `.app.state.mock` is the mock. Settings are those of `Settings`.
    Raises ModuleNotFoundError without the extra `respx`.
    """
    try:
        from tinker_mock.server.serving.in_process import TinkerRouter
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"respx_router needs pip install 'tinker-mock[respx]' ({error})", name=error.name
        ) from error
    from tinker_mock.server.settings import Settings

    return TinkerRouter(base_url, Settings(**settings))
