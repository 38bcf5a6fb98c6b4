"""The contracts, for tools (`/openapi.json`) and for people (`/docs`)."""

from functools import cache

from tinker_mock.contracts import load_contract
from tinker_mock.contracts.published import published_bytes
from tinker_mock.contracts.reference import reference, title_of
from tinker_mock.server.control.inspector import HEADERS, PAGES, TYPES
from tinker_mock.server.control.mock_control import MockControl
from tinker_mock.server.wire.exchange import Answer, Exchange


async def get_document(control: MockControl, exchange: Exchange) -> Answer:
    return await _document(control, exchange, "3.1")


async def get_newest_document(control: MockControl, exchange: Exchange) -> Answer:
    return await _document(control, exchange, "3.2")


async def _document(control: MockControl, exchange: Exchange, version: str) -> Answer:
    name = exchange.query["contract"]
    content = await control.backend.compute(published_bytes, name, version)
    return Answer(200, content=content, content_type="application/json")


async def get_docs(control: MockControl, exchange: Exchange) -> Answer:
    """Made at the first request, in a thread."""
    content = await control.backend.compute(_page, exchange.query["contract"])
    return Answer(200, content=content, content_type=TYPES[".html"], headers=HEADERS)


@cache
def _page(name: str) -> bytes:
    contract = load_contract(name)
    frame = (PAGES / "docs.html").read_text(encoding="utf-8")
    filled = frame.replace("{title}", title_of(contract.document))
    return filled.replace("{reference}", reference(contract)).encode()
