"""The inspector in a real browser, with real training behind it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.conftest import Api, training_step, update
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
if CHROMIUM is None:
    pytest.skip("no Chromium on this machine: apt-get install chromium", allow_module_level=True)

SHOTS = Path(__file__).parents[2] / "reports" / "inspector"
"""What the page looked like at the end of each test; CI keeps the folder."""
STEPS = 12
LIMIT = 30_000
"""Milliseconds that a busy machine may take."""


@pytest.fixture(scope="module")
def trained() -> Iterator[Api]:
    """A mock that two models were trained on and sampled from, once refused."""
    with RunningServer(Settings(port=0)) as server:
        api = Api(server, "tml-tester")
        with api.http:
            for rate in (1e-4, 3e-5):
                model = api.model()
                for step in range(STEPS):
                    api.submit("forward_backward", training_step(model, 2 * step + 1))
                    api.done("optim_step", update(model, 2 * step + 2, rate))
            api.done("save_weights", {"model_id": model, "seq_id": 2 * STEPS + 1, "path": "kept"})
            body = {
                "sampling_session_id": api.sampler(),
                "seq_id": 1,
                "prompt": {"chunks": [{"tokens": [1, 2, 3]}]},
                "sampling_params": {"max_tokens": 8, "seed": 1},
            }
            api.done("asample", body)
            wrong = {"tags": 7, "user_metadata": None, "sdk_version": "0.38.0"}
            api.post("create_session", wrong)
            yield api


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as play:
        started = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Any, trained: Api, request: Any) -> Iterator[Any]:
    """A page at the mock's address; what it complains about fails the test."""
    complaints: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    context.set_default_timeout(LIMIT)
    opened = context.new_page()
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on(
        "console",
        lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None,
    )
    opened.on(
        "request",
        lambda sent: (
            None if sent.url.startswith(trained.server.url) else complaints.append(sent.url)
        ),
    )
    opened.goto(trained.server.url)
    opened.wait_for_selector(".row")
    yield opened
    opened.screenshot(path=SHOTS / f"{request.node.name}.png")
    context.close()
    assert complaints == []


def tab(page: Any, name: str) -> None:
    page.click(f"#tab-{name}")


def test_an_exchange_is_opened_and_sent_again(page: Any, trained: Api) -> None:
    page.fill("input[type=search]", "optim_step")
    page.wait_for_function("() => [...document.querySelectorAll('.row')].every(row => row.textContent.includes('optim_step'))")  # fmt: skip # noqa: E501
    page.locator(".row").first.click()
    page.wait_for_selector(".detail h2")
    assert "learning_rate" in page.inner_text(".detail")
    before = trained.http.get("/_mock/journal/count").json()["count"]
    page.click("text=send again")
    page.wait_for_selector("pre:not([hidden]):has-text('200')")
    assert trained.http.get("/_mock/journal/count").json()["count"] == before + 1
    page.click("text=copy curl")
    assert page.evaluate("navigator.clipboard.readText()").startswith("curl ")


def test_what_is_wrong_is_found_by_its_verdict(page: Any) -> None:
    page.select_option("select", "request")
    page.locator(".row", has_text="422").click()
    page.wait_for_selector(".finding")
    assert "/tags" in page.inner_text(".finding")


def test_new_exchanges_come_by_themselves(page: Any, trained: Api) -> None:
    page.fill("input[type=search]", "healthz")
    trained.get("healthz")
    page.wait_for_selector(".row:has-text('healthz')")


def test_ten_thousand_exchanges_are_a_few_rows(page: Any) -> None:
    """Only what is in sight is in the page, wherever one scrolls to."""
    page.evaluate(
        """async () => {
            const exchanges = await import("/_mock/ui/exchanges.js");
            for (let number = 100001; number <= 110000; number += 1)
                exchanges.add({
                    number, time: 0, client: "", operation: `made_${number}`, method: "GET",
                    path: "/", status: 200, milliseconds: 1, verdict: "ok", effects: "",
                    violations: [],
                });
        }"""
    )
    page.wait_for_selector(".row:has-text('made_110000')")
    for place in (0.0, 0.5, 1.0):
        page.evaluate(
            "place => { const rows = document.querySelector('.rows');"
            " rows.scrollTop = place * rows.scrollHeight; }",
            place,
        )
        wanted = {0.0: "create_session", 0.5: "made_104", 1.0: "made_110000"}[place]
        page.wait_for_selector(f".row:has-text('{wanted}')")
        assert page.locator(".row").count() < 100


def test_curves_of_both_runs_with_numbers_on_hover(page: Any, trained: Api) -> None:
    tab(page, "training")
    card = page.locator(".card", has=page.get_by_role("heading", name="loss:sum", exact=True))
    card.wait_for()
    assert card.locator("path.curve").count() == 2
    last = [curve["points"][-1] for curve in trained.http.get("/_mock/training").json()["models"]]
    said = card.locator(".reading").inner_text()
    for point in last:
        loss = point["values"]["loss:sum"]
        assert f"step {STEPS}: {float(f'{loss:.4g}'):g}" in said
    box = card.locator("svg.chart").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.12, box["y"] + 50)
    page.wait_for_function("() => [...document.querySelectorAll('.reading')].some(r => r.textContent.includes('step 1:'))")  # fmt: skip # noqa: E501
    page.get_by_role("checkbox").first.uncheck()
    page.wait_for_function("() => document.querySelector('.card').querySelectorAll('path.curve').length === 1")  # fmt: skip # noqa: E501


def test_the_other_views_show_what_was_done(page: Any) -> None:
    tab(page, "timeline")
    page.wait_for_selector(f".lane:has-text('{STEPS} steps')")
    assert page.locator(".lane rect.completed").count() >= 4 * STEPS
    tab(page, "samples")
    page.wait_for_selector(".sample .piece")
    assert "log-probability" in page.locator(".piece").first.get_attribute("title")
    tab(page, "checkpoints")
    page.wait_for_selector("td:has-text('weights/kept')")
    page.click("text=publish")
    page.wait_for_selector("button:has-text('unpublish')")


def test_the_mock_is_steered(page: Any, trained: Api) -> None:
    tab(page, "steering")
    page.select_option("select", "rate-limited")
    page.wait_for_function("() => document.body.textContent.includes('rate-limited')")
    page.click("button:has-text('take')")
    page.wait_for_selector("text=snapshot-1")
    assert trained.http.get("/_mock/scenario").json()["name"] == "rate-limited"
    page.fill("input[aria-label='Prompt contains']", "capital of Spain")
    page.fill("input[aria-label=Answer]", "Madrid.")
    page.click("button:has-text('add')")
    page.wait_for_selector("pre:has-text('Madrid.')")
    (script,) = trained.http.get("/_mock/scripts").json()["scripts"]
    assert script["pattern"] == "capital of Spain"
    page.select_option("select", "healthy")
    page.wait_for_function("() => document.querySelector('select').value === 'healthy'")


def test_keys_and_themes(page: Any) -> None:
    page.keyboard.press("2")
    page.wait_for_selector("#tab-training[aria-selected=true]")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.keyboard.press("t")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    page.keyboard.press("1")
    page.wait_for_selector("#tab-exchanges[aria-selected=true]")
    page.wait_for_selector(".row")
    page.keyboard.press("ArrowDown")
    page.wait_for_selector(".detail h2")


def test_a_phone_shows_it_without_scrolling_sideways(page: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    for name in ("exchanges", "training", "timeline", "samples", "steering"):
        tab(page, name)
        page.wait_for_selector(f"#tab-{name}[aria-selected=true]")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
