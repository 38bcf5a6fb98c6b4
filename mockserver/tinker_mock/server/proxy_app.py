"""The proxy as an ASGI app: the whole mock, but an upstream answers."""

import httpx
from starlette.applications import Starlette

from tinker_mock.server.app import app_of, build
from tinker_mock.server.http.request_check import RequestRules
from tinker_mock.server.http.upstream import UpstreamAnswerer
from tinker_mock.server.settings import Settings


def create_proxy(
    upstream: str,
    settings: Settings | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Starlette:
    """An app that forwards to `upstream` (an address, with its path prefix if it has one).

    `transport` replaces the network, for tests.
    """
    client = httpx.AsyncClient(base_url=upstream, transport=transport, timeout=None)
    answerer = UpstreamAnswerer(client)
    mock = build(
        settings or Settings(), lambda backend: answerer, RequestRules(refuse=False), "upstream"
    )
    return app_of(mock, client.aclose)
