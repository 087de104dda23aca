"""The browser of the end-to-end tests: Playwright's own Chromium, or else the system's."""

import shutil
import sys
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",  # needed as root in a container; the tests open their own pages only
]


def find(playwright):
    """Return the path of a Chromium; None if there is none."""
    bundled = Path(playwright.chromium.executable_path)
    if bundled.is_file():
        return str(bundled)
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


@contextmanager
def chromium():
    """Open the browser; give None if there is none."""
    with sync_playwright() as playwright:
        path = find(playwright)
        if path is None:
            yield None
            return
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield browser
        browser.close()


def main():
    """Print the path of the browser; fail if there is none."""
    with sync_playwright() as playwright:
        path = find(playwright)
    print(f"browser: {path}" if path else "browser: none", file=sys.stderr)  # noqa: T201
    return path is None


if __name__ == "__main__":
    sys.exit(main())
