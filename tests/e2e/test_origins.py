"""The page on one origin and the API on another, as config.json says."""

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import expect

from aisle.serving.site import HEADERS
from tests.commands import Server

pytestmark = pytest.mark.e2e

SITE = Path(__file__).parents[2] / "static_site"


class Elsewhere(SimpleHTTPRequestHandler):
    """Serve the page's files as a bucket does, with its own config.json and without the API."""

    def __init__(self, *arguments, api, **options):
        self.api = api
        super().__init__(*arguments, directory=str(SITE), **options)

    def do_GET(self):
        """Answer with a file or the configuration."""
        if self.path != "/config.json":
            super().do_GET()
            return
        body = json.dumps({"api": self.api}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def end_headers(self):
        """Add CloudFront's policy header, with the API's origin."""
        policy = HEADERS["Content-Security-Policy"]
        self.send_header(
            "Content-Security-Policy",
            policy.replace("connect-src 'self'", f"connect-src 'self' {self.api}"),
        )
        super().end_headers()

    def log_message(self, *_):
        """Log nothing."""


@pytest.fixture
def apart(tmp_path):
    """Give the addresses of the page and of the API, on two origins."""
    with ThreadingHTTPServer(("127.0.0.1", 0), None) as pages:
        site = f"http://127.0.0.1:{pages.server_port}"
        with Server(tmp_path, store="store", AISLE_CORS_ORIGINS=site) as running:
            api = f"http://127.0.0.1:{running.port}"
            pages.RequestHandlerClass = partial(Elsewhere, api=api)
            thread = threading.Thread(target=pages.serve_forever)
            thread.start()
            yield f"{site}/", api
            pages.shutdown()
            thread.join()


def test_every_flow_works_across_origins(page, apart, keep):
    """Every view sends its requests to the API's origin, with preflights."""
    site, api = apart
    urls = []
    page.on("request", lambda request: urls.append(request.url))
    page.goto(site)
    expect(page.get_by_role("navigation", name="Category path")).to_be_visible()
    page.get_by_role("button", name="Not right?").click()
    expect(page.get_by_role("option").first).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="correction saved")).to_be_visible()
    page.locator("[data-view=catalogue]").click()
    page.get_by_role("button", name="Use a sample").click()
    page.get_by_role("button", name="Classify 12 rows").click()
    expect(page.get_by_role("heading", name="12 rows in")).to_be_visible()
    page.locator("[data-view=model]").click()
    expect(page.get_by_role("heading", name="How often it is right")).to_be_visible()
    keep(page)
    page.locator("[data-view=developers]").click()
    expect(page.get_by_role("tabpanel")).to_contain_text(f"{api}/v1/predict")
    assert not [url for url in urls if url.startswith(f"{site}v1/")]
