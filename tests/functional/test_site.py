"""The demo page's files, served beside the API."""

import pytest
from starlette.testclient import TestClient

from aisle.serving.predict.app import create_app
from aisle.serving.site import FOLDER, add_site


@pytest.fixture
def client(tmp_path):
    """Give an application with the page and a comparison."""
    (tmp_path / "comparison.json").write_text('{"tables": []}')
    api = create_app(lambda: None)
    add_site(api, comparison=tmp_path / "comparison.json")
    return TestClient(api)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/index.html", "text/html"),
        ("/style.css", "text/css"),
        ("/icon.svg", "image/svg+xml"),
        ("/config.json", "application/json"),
        ("/comparison.json", "application/json"),
        *((f"/js/{file.name}", "text/javascript") for file in (FOLDER / "js").iterdir()),
    ],
)
def test_files_come_with_their_type_and_the_policy(client, path, kind):
    """Every file has the type that a browser needs, and headers that keep other code out."""
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].split(";")[0] == kind
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/js", "/js/", "/nothing.js", "/js/../../pyproject.toml"])
def test_other_addresses_stay_the_apis(client, path):
    """An unknown file is a problem response of the API."""
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_without_a_page_the_api_is_whole(tmp_path):
    """Without a page, its address is a 404, and the API answers."""
    api = create_app(lambda: None)
    add_site(api, tmp_path, tmp_path / "comparison.json")
    client = TestClient(api)
    assert client.get("/").status_code == 404
    assert client.get("/v1/docs").status_code == 200


def test_every_file_that_the_page_names_is_there(client):
    """Every file that the page and its modules load exists."""
    import re

    text = client.get("/").text
    named = re.findall(r'(?:href|src)="((?:js/|icon|style)[^"]+)"', text)
    for file in (FOLDER / "js").iterdir():
        named += [f"js/{name}" for name in re.findall(r'"\./([a-z]+\.js)"', file.read_text())]
    assert {client.get(f"/{name}").status_code for name in named} == {200}
