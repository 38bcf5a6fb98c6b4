"""`/openapi.json`, `/openapi-3.2.json` and `/docs` of a running mock."""

import re
from html.parser import HTMLParser

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator, OpenAPIV32SpecValidator

from tinker_mock.contracts import load_contract
from tinker_mock.server.serving.in_thread import RunningServer

CONTRACTS = ("tinker", "inference", "control")
VALIDATORS = {
    "/openapi.json": ("3.1", OpenAPIV31SpecValidator),
    "/openapi-3.2.json": ("3.2", OpenAPIV32SpecValidator),
}


@pytest.mark.parametrize("name", CONTRACTS)
@pytest.mark.parametrize("address", VALIDATORS)
def test_a_served_document_is_valid_and_whole(
    tinker_mock_session: RunningServer, address: str, name: str
) -> None:
    version, validator = VALIDATORS[address]
    answer = httpx.get(tinker_mock_session.url + address, params={"contract": name})
    document = answer.json()
    assert document["openapi"].startswith(version)
    validator(document).validate()
    served = {o["operationId"] for item in document["paths"].values() for o in item.values()}
    assert served == set(load_contract(name).operations)
    assert ("itemSchema" in answer.text) == (version == "3.2")
    assert "x-digest" not in document


def test_the_tinker_document_is_the_default(tinker_mock_session: RunningServer) -> None:
    document = httpx.get(tinker_mock_session.url + "/openapi.json").json()
    assert document["info"]["title"] == "Tinker API"


def test_another_contract_is_refused_with_those_there_are(
    tinker_mock_session: RunningServer,
) -> None:
    refused = httpx.get(tinker_mock_session.url + "/openapi.json", params={"contract": "wire"})
    assert refused.status_code == 422
    assert "inference" in refused.text


class Anchors(HTMLParser):
    """The ids and the local links of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: set[str] = set()
        self.others: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.ids += [told["id"] or ""] if "id" in told else []
        for name in ("href", "src"):
            value = told.get(name) or ""
            if value.startswith("#"):
                self.links.add(value[1:])
            elif value:
                self.others.add(value)


@pytest.mark.parametrize("name", CONTRACTS)
def test_the_page_has_every_operation_and_no_dead_link(
    tinker_mock_session: RunningServer, name: str
) -> None:
    answer = httpx.get(tinker_mock_session.url + "/docs", params={"contract": name})
    assert answer.headers["content-type"].startswith("text/html")
    page = Anchors(answer.text)
    assert set(load_contract(name).operations) <= set(page.ids)
    assert page.links <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert all(link.startswith("/") for link in page.others), "nothing from another host"
    for link in page.others:
        assert httpx.get(tinker_mock_session.url + link).status_code == 200, link


def test_fields_are_told_with_type_limits_and_release(tinker_mock_session: RunningServer) -> None:
    page = httpx.get(tinker_mock_session.url + "/docs").text
    section = page.partition('<h3 id="schema-SamplingParams">')[2].partition("<h3")[0]
    (top_p,) = re.findall(r"<tr><td><code>top_p</code>.*?</tr>", section)
    assert "number" in top_p
    assert "&gt; 0" in top_p or "> 0" in top_p
    assert "≤ 1" in top_p
    assert "default 1" in top_p
