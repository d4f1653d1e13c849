"""The page in a real browser: the matrix, clicks, keys, ticks that stay, and both colour schemes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codegen.review.as_html import format_html
from tests.review.copies import review_of
from tests.review.small import make_project, replaced

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    before = make_project(folder / "base")
    models = replaced(
        "alpha",
        ("self.down = nn.Linear(4 * config.width", "self.low = nn.Linear(4 * config.width"),
        ("return self.down(", "return self.low("),
        ("Widens the states.", "Widens the <b>states</b>."),
    )
    after = make_project(folder / "head", models)
    path = folder / "review.html"
    path.write_text(format_html(review_of(before, after)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine: .ci/run installs it")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def test_the_page_needs_nothing_else(page_file: Path) -> None:
    text = page_file.read_text(encoding="utf-8")
    assert "http:" not in text and "https:" not in text and " src=" not in text
    assert "<b>states</b>" not in text, "what comes from sources is escaped"


def test_clicks_keys_and_ticks(page_file: Path, browser: Any) -> None:
    context = browser.new_context()
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(page_file.as_uri())
    assert page.locator(".change").count() == 2
    assert page.locator("tbody tr").count() == 3
    page.locator('tbody button[data-goto="part-1A"]').first.click()
    assert "shown" in page.locator("#part-1A").get_attribute("class")
    assert page.locator("#part-1A pre .add").first.is_visible()
    page.keyboard.press("j")
    assert "current" in page.locator("#change-2").get_attribute("class")
    page.keyboard.press("x")
    assert page.locator("#ticked").inner_text() == "1"
    page.reload()
    assert page.locator("#ticked").inner_text() == "1", "ticks stay in the browser"
    assert not page.locator("#change-2 .part").first.is_visible()
    page.locator("#change-2 .tick").uncheck()
    assert page.locator("#ticked").inner_text() == "0"
    assert not errors
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_colour_schemes(page_file: Path, browser: Any, scheme: str) -> None:
    page = browser.new_page(color_scheme=scheme)
    page.goto(page_file.as_uri())
    colours = page.evaluate(
        "() => { const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]; }"
    )
    back, fore = (sum(map(int, colour[4:-1].split(","))) for colour in colours)
    assert (back > fore) == (scheme == "light")
    page.close()


def test_a_phone_shows_all_of_it(page_file: Path, browser: Any) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(page_file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.close()
