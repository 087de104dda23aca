"""Corrections and catalogues without a mouse."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.e2e

MAX_TABS = 60
_LABEL = "document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent"


def tab_to(page, text):
    """Press Tab until the label of the focused element starts with `text`."""
    labels = []
    for _ in range(MAX_TABS):
        page.keyboard.press("Tab")
        labels.append(page.evaluate(_LABEL))
        if labels[-1].startswith(text):
            return
    pytest.fail(f"no label starts with {text!r}; Tab reached {labels}")


def test_a_correction_needs_no_mouse(open_page, site):
    """Tab reaches the question, Enter opens the search, typed words and Enter choose."""
    page = open_page()
    page.goto(f"{site}#/try?name=no+mouse+here")
    expect(page.get_by_role("button", name="Not right?")).to_be_visible()
    tab_to(page, "Not right?")
    page.keyboard.press("Enter")
    page.keyboard.type("headphones")
    expect(page.get_by_role("option").first).to_contain_text("Headphones")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="correction saved")).to_be_visible()
    expect(page.get_by_role("heading", name="correction saved")).to_be_focused()


def test_a_catalogue_needs_no_mouse(open_page, site):
    """Tab, Enter and typing lead from the sample to a corrected row and the download."""
    page = open_page()
    page.goto(f"{site}#/catalogue")
    expect(page.get_by_role("button", name="Use a sample")).to_be_visible()
    tab_to(page, "Use a sample")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="sample.csv: 12 rows")).to_be_focused()
    tab_to(page, "Classify 12 rows")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="12 rows in")).to_be_focused()
    tab_to(page, "Correct row")
    page.keyboard.press("Enter")
    page.keyboard.type("headphones")
    expect(page.get_by_role("option").first).to_contain_text("Headphones")
    page.keyboard.press("Enter")
    expect(page.locator("tbody").get_by_text("Corrected")).to_be_visible()
    page.locator("main").focus()
    tab_to(page, "Download CSV")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename == "sample-categories.csv"
