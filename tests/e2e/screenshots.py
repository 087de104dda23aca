"""Take the screenshots of the documentation from the real page on the real service.

python -m tests.e2e.screenshots docs
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import expect

from tests.commands import Server
from tests.e2e.browser import chromium

MAX_BYTES = 200_000
"""The maximum size of a screenshot."""
_DESKTOP = {"width": 1200, "height": 860}
_TALL = {"width": 1200, "height": 1000}
_PHONE = {"width": 390, "height": 844}


def take(folder):
    """Write the screenshots to a folder; fail without a browser, or if one is too large."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as store,
        Server(store) as server,
        chromium() as browser,
    ):
        if browser is None:
            sys.exit("There is no Chromium to take screenshots with; `make browser` installs one.")
        site = f"http://127.0.0.1:{server.port}/"

        def page(view, size=_DESKTOP, colours="light"):
            opened = browser.new_page(viewport=size, color_scheme=colours, reduced_motion="reduce")
            opened.goto(f"{site}#/{view}")
            return opened

        def keep(opened, name):
            opened.wait_for_load_state("networkidle")
            path = folder / f"{name}.png"
            opened.screenshot(path=path)
            opened.close()
            size = path.stat().st_size
            print(f"{path}, {size // 1000} kB")  # noqa: T201
            if size > MAX_BYTES:
                sys.exit(f"{path} is too large: {size:,} bytes. Expected at most {MAX_BYTES:,}.")

        for name, size, colours in (
            ("try", _TALL, "light"),
            ("try-dark", _TALL, "dark"),
            ("try-phone", _PHONE, "light"),
        ):
            opened = page("try", size, colours)
            expect(opened.get_by_role("navigation", name="Category path")).to_be_visible()
            keep(opened, name)

        opened = page("try")
        opened.get_by_role("button", name="Not right?").click()
        opened.keyboard.type("camera acc")
        expect(opened.get_by_role("option").first).to_contain_text("Accessories")
        keep(opened, "correct")

        opened = page("catalogue")
        opened.get_by_role("button", name="Use a sample").click()
        opened.get_by_role("button", name="Classify 12 rows").click()
        expect(opened.get_by_role("heading", name="12 rows in")).to_be_visible()
        keep(opened, "catalogue")

        opened = page("model", {"width": 1200, "height": 1500})
        expect(opened.get_by_role("heading", name="Does the confidence mean")).to_be_visible()
        keep(opened, "model")


if __name__ == "__main__":
    take(Path(sys.argv[1]) / "screenshots")
