"""The browser of the end-to-end tests: Playwright's own Chromium, else the system's."""

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
    "--no-sandbox",  # for root, perhaps in a container; only own pages are opened
]


def find(playwright):
    """Return where a Chromium is, or None."""
    own = Path(playwright.chromium.executable_path)
    if own.is_file():
        return str(own)
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


@contextmanager
def chromium():
    """Open the browser; give None where there is none."""
    with sync_playwright() as playwright:
        path = find(playwright)
        if path is None:
            yield None
            return
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield browser
        browser.close()


def main():
    """Say where the browser is; fail where there is none."""
    with sync_playwright() as playwright:
        path = find(playwright)
    print(f"browser: {path}" if path else "browser: none", file=sys.stderr)  # noqa: T201
    return path is None


if __name__ == "__main__":
    sys.exit(main())
