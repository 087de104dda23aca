"""A browser, the real service with the packaged model, and pages whose errors fail a test."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.commands import Server
from tests.e2e.browser import chromium

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
SIZES = {"phone": (360, 780), "desktop": (1440, 900)}
_EXPECTED = "Failed to load resource"
"""Chromium logs this for every error response, even if the page handles it."""


@dataclass(frozen=True, slots=True)
class Look:
    """A window size and a colour scheme."""

    size: str
    colours: str


LOOKS = [Look(size, colours) for size in SIZES for colours in ("light", "dark")]


@pytest.fixture(params=LOOKS, ids=lambda look: f"{look.size}-{look.colours}")
def look(request):
    """Give each combination of window size and colour scheme."""
    return request.param


@pytest.fixture(scope="module")
def browser():
    """Give a Chromium; without one, skip, but fail in CI."""
    with chromium() as opened:
        if opened is None and os.environ.get("CI") == "true":
            pytest.fail("there is no Chromium; `make browser` installs one")
        if opened is None:
            pytest.skip("there is no Chromium; `make browser` installs one")
        yield opened


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Give the service with the packaged model and an empty store."""
    with Server(tmp_path_factory.mktemp("e2e"), AISLE_POLL_SECONDS="1") as running:
        yield running


@pytest.fixture
def site(server):
    """Give the address of the page."""
    return f"http://127.0.0.1:{server.port}/"


@pytest.fixture
def open_page(browser):
    """Give the function that opens an empty page; any error on a page fails the test."""
    contexts, problems = [], []

    def open_one(look=LOOKS[2], **options):
        width, height = SIZES[look.size]
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=look.colours,
            permissions=["clipboard-read", "clipboard-write"],
            **options,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: problems.append(f"a dialog: {dialog.message}"))
        page.on(
            "console",
            lambda message: (
                problems.append(message.text)
                if message.type in {"error", "warning"} and _EXPECTED not in message.text
                else None
            ),
        )
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert not problems


@pytest.fixture
def page(open_page, look):
    """Give a page in each size, in light and in dark colours."""
    return open_page(look)


@pytest.fixture
def keep(request):
    """Give the function that saves a screenshot of a page, named after the test."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)

    def keep_one(page, name="", *, full_page=True):
        stem = request.node.name.removeprefix("test_").replace("[", "-").strip("]")
        path = SCREENSHOTS / f"{stem}{'-' if name else ''}{name}.png"
        page.screenshot(path=path, full_page=full_page)
        fits = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert fits, "the page scrolls sideways"
        return path

    return keep_one
