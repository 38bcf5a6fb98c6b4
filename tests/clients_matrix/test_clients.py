"""The official clients do what the page says; the others run by `make text-clients`."""

import re
import sys

from tests.clients_matrix.page import PAGE, outcomes


def test_the_official_clients_do_what_the_page_says() -> None:
    found = outcomes(sys.executable, "openai", "anthropic")
    assert set(found) == {"openai", "anthropic"}
    for client, one in found.items():
        failed = {name for name, said in one["features"].items() if said != "works"}
        assert failed == ({"Responses API"} if client == "openai" else set()), one


def test_the_page_has_every_client() -> None:
    rows = re.findall(r"^\| ([a-z-]+) \d", PAGE.read_text("utf-8"), re.MULTILINE)
    assert {"openai", "anthropic", "litellm", "langchain-openai", "pydantic-ai"} <= set(rows)
