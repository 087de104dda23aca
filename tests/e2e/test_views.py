"""Every view: its content, its accessibility, and its files."""

import urllib.request
from importlib import resources
from pathlib import Path

import pytest
from playwright.sync_api import expect

from aisle.registry import audit
from aisle.registry.audit import Occasion
from aisle.registry.reports import packaged_version
from aisle.store import FolderStore
from tests.commands import Server
from tests.e2e.conftest import LOOKS

pytestmark = pytest.mark.e2e

SITE = Path(__file__).parents[2] / "static_site"
VIEWS = {
    "try": "Which aisle does this product belong in?",
    "catalogue": "A whole catalogue",
    "model": "The model",
    "developers": "For developers",
}
AXE = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text()
_RUN = "axe.run().then(results => results.violations)"


def violations(page):
    """Return the serious and critical violations that axe finds on a page, with their elements."""
    page.evaluate(AXE)
    return [
        (violation["id"], node["html"], node["failureSummary"])
        for violation in page.evaluate(_RUN)
        if violation["impact"] in {"serious", "critical"}
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_serious_on_any_view(page, site, view, keep):
    """Each view passes axe's checks of contrast, names, roles and order, in each size and theme."""
    page.goto(f"{site}#/{view}")
    expect(page.get_by_role("heading", level=1, name=VIEWS[view])).to_be_visible()
    page.wait_for_load_state("networkidle")
    keep(page)
    assert violations(page) == []


def test_axe_finds_nothing_serious_in_the_category_search(page, site):
    """The dialog with its list of categories passes axe's checks, too."""
    page.goto(site)
    page.get_by_role("button", name="Not right?").click()
    expect(page.get_by_role("option").first).to_be_visible()
    assert violations(page) == []


def test_axe_finds_nothing_serious_in_a_table_of_results(page, site):
    """The column choice and the rows of a classified file pass axe's checks, too."""
    page.goto(f"{site}#/catalogue")
    page.get_by_role("button", name="Use a sample").click()
    expect(page.get_by_role("button", name="Classify 12 rows")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("button", name="Classify 12 rows").click()
    expect(page.get_by_role("heading", name="12 rows in")).to_be_visible()
    assert violations(page) == []


def test_the_model_shows_the_figures_of_its_own_api(open_page, site, server):
    """The model view shows the version and the accuracy of GET /v1/model."""
    _, model = server.ask("/v1/model")
    page = open_page()
    page.goto(f"{site}#/model")
    expect(page.get_by_text(model["version"], exact=True)).to_be_visible()
    level = model["metrics"]["test"]["levels"][0]["accuracy"]
    expect(page.get_by_text(f"{level:.1%}").first).to_be_visible()
    expect(page.get_by_role("heading", name="Promotions and refusals")).to_be_visible()


def test_the_models_have_the_states_of_the_api(open_page, tmp_path, keep):
    """After a promotion, a rollback and a refusal, the page shows each model as the API does."""
    store, me = FolderStore(tmp_path / "store"), Occasion("me", "a test")
    audit.write(store, "promoted", "v1", me, previous=None)
    audit.write(store, "rolled back", packaged_version(), me, previous="v1")
    audit.write(store, "refused", "v2", me, previous=packaged_version())
    with Server(tmp_path, store="store") as running:
        _, listing = running.ask("/v1/models")
        page = open_page()
        page.goto(f"http://127.0.0.1:{running.port}/#/model")
        rows = page.get_by_role("table", name="Models and their states").locator("tbody tr")
        expect(rows).to_have_count(3)
        shown = dict(row.locator("th, td").all_inner_texts()[:2] for row in rows.all())
        assert violations(page) == []
        keep(page)
    assert shown == {model["version"]: model["state"] for model in listing["models"]}
    assert (shown["v1"], shown["v2"]) == ("rolled back from", "refused")


def test_the_comparison_is_a_table(open_page, site, keep):
    """The results of `aisle compare`, here invented, are a table with the shipped model marked."""
    page = open_page()
    ours = {"name": "aisle", "title": "Aisle", "accuracy": 0.9, "macro_f1": 0.8}
    peer = {"name": "linear-svm", "title": "A linear SVM", "accuracy": 0.7, "macro_f1": 0.6}
    costs = {"calibration_error": 0.01, "costs": {"p50_ms": 1.5, "size_bytes": 2_000_000}}
    table = {"min_products": 100, "inputs": "attributes", "classes": 13}
    about = {"date": "2026-11-22", "machine": "two cores"}
    comparison = {
        "shipped": "aisle",
        "about": about,
        "data": {"products": 8998},
        "tables": [table | {"candidates": [ours | costs, peer | costs]}],
    }
    page.route("**/comparison.json", lambda route: route.fulfill(json=comparison))
    page.goto(f"{site}#/model")
    expect(page.get_by_role("row", name="Aisle")).to_contain_text("90.0%")
    expect(page.locator("tr.ours")).to_have_count(1)
    expect(page.get_by_role("row", name="A linear SVM")).to_contain_text("1.50 ms")
    keep(page)
    assert violations(page) == []


def test_views_are_reached_with_the_keyboard(open_page, site):
    """Enter on a navigation link opens its view, and the focus moves into it."""
    page = open_page()
    page.goto(site)
    for view, heading in list(VIEWS.items())[1:]:
        page.locator(f"[data-view={view}]").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1, name=heading)).to_be_visible()
        expect(page.locator("main")).to_be_focused()
        expect(page.locator("[aria-current=page]")).to_have_attribute("data-view", view)


def test_focus_follows_while_the_page_loads(open_page, site):
    """A user who switches views before the first one has loaded gets the focus in the new view."""
    page = open_page()
    held = {}

    def hold(route):
        held[route.request.url.rpartition("/")[2]] = route

    page.route("**/config.json", hold)
    page.route("**/js/catalogue.js", hold)
    with page.expect_request("**/config.json"):
        page.goto(site, wait_until="commit")
    page.locator("[data-view=catalogue]").focus()
    with page.expect_request("**/js/catalogue.js"):
        page.keyboard.press("Enter")
    with page.expect_response("**/config.json"):
        held["config.json"].continue_()
    held["catalogue.js"].continue_()
    expect(page.get_by_role("heading", level=1, name="A whole catalogue")).to_be_visible()
    expect(page.locator("main")).to_be_focused()


def test_samples_change_with_the_arrow_keys(open_page, site):
    """Arrow keys move between the language tabs, and the code has this API's address."""
    page = open_page()
    page.goto(f"{site}#/developers")
    page.get_by_role("tab", name="curl").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Python")).to_be_focused()
    expect(page.get_by_role("tabpanel")).to_contain_text(f'"{site}v1/predict"')


def test_the_python_sample_runs_unchanged(open_page, site, capsys):
    """The Python sample runs as shown and predicts."""
    page = open_page()
    page.goto(f"{site}#/developers")
    page.get_by_role("tab", name="Python").click()
    exec(page.get_by_role("tabpanel").inner_text(), {})  # noqa: S102  # the page's own sample
    assert "Cameras & Camcorders" in capsys.readouterr().out


def test_the_colour_scheme_is_remembered(open_page, site):
    """The button cycles through system, light and dark, and a reload keeps the choice."""
    page = open_page()
    page.goto(site)
    for name in ("light", "dark"):
        page.get_by_role("button", name="Colours").click()
        expect(page.get_by_role("button", name=f"Colours: {name}")).to_be_visible()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


@pytest.mark.parametrize("width", [320, 360, 768, 1024, 3840])
@pytest.mark.parametrize("view", VIEWS)
def test_no_width_scrolls_sideways(open_page, site, view, width):
    """From a small phone to a 4K screen, the content fits the window's width."""
    page = open_page()
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{site}#/{view}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_reduced_motion_is_respected(open_page, site):
    """With reduced motion, no animation or transition lasts longer than a millisecond."""
    page = open_page(LOOKS[0], reduced_motion="reduce")
    page.goto(site)
    expect(page.locator(".meter i").first).to_be_visible()
    longest = page.evaluate(
        "Math.max(...[...document.querySelectorAll('*')].map(element =>"
        " parseFloat(getComputedStyle(element).animationDuration)"
        " + parseFloat(getComputedStyle(element).transitionDuration)))"
    )
    assert longest <= 0.001


def test_nothing_comes_from_another_origin(open_page, site):
    """All views together send requests to one origin only."""
    page = open_page()
    urls = []
    page.on("request", lambda request: urls.append(request.url))
    for view, heading in VIEWS.items():
        page.goto(f"{site}#/{view}")
        expect(page.get_by_role("heading", level=1, name=heading)).to_be_visible()
    assert [url for url in urls if not url.startswith(site)] == []


def test_the_pages_own_files_are_small():
    """All files of the page together have less than 150 kB, uncompressed."""
    assert sum(path.stat().st_size for path in SITE.rglob("*") if path.is_file()) < 150_000


def test_the_policy_allows_no_inline_code(site):
    """The page's content security policy allows its own files and nothing else."""
    with urllib.request.urlopen(site) as response:  # noqa: S310  # the test's own server
        policy = response.headers["Content-Security-Policy"]
        body = response.read().decode()
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "style=" not in body
    assert "onclick" not in body


def test_the_page_asks_for_a_key_if_one_is_needed(open_page, tmp_path, keep):
    """With keys in the store the page asks for one, and works with it."""
    from datetime import UTC, datetime, timedelta

    from aisle.access import api_keys, keyring
    from aisle.store import open_store

    now = datetime.now(UTC)
    key, record = api_keys.new_key(
        "me", ["predict", "feedback"], now=now, lifetime=timedelta(days=1)
    )
    keyring.edit(open_store((tmp_path / "store").as_uri()), lambda keys: (*keys, record))
    page = open_page(LOOKS[0])
    with Server(tmp_path, store="store") as running:
        page.goto(f"http://127.0.0.1:{running.port}/")
        expect(page.get_by_label("This API needs a key")).to_be_visible()
        keep(page)
        page.get_by_label("This API needs a key").fill("aisle_wrong")
        page.get_by_role("button", name="Use it").click()
        expect(page.get_by_text("The API key is not accepted.")).to_be_visible()
        page.get_by_label("This API needs a key").fill(key)
        page.get_by_role("button", name="Use it").click()
        expect(page.get_by_role("navigation", name="Category path")).to_be_visible()


def test_other_addresses_belong_to_the_api(server):
    """An address that is no file of the page gets a problem response from the API."""
    status, problem = server.ask("/nothing.js")
    assert status == 404
    assert problem["type"] == "/problems/not-found"
