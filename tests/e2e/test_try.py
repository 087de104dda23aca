"""The try view: a product in, its category out."""

import json
import subprocess
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Error, expect

pytestmark = pytest.mark.e2e

ATTACK = "<img src=x onerror=alert(1)>"


def test_a_first_visit_shows_a_result_without_a_click(page, site, keep):
    """The page opens with an example: its path, confidences, evidence and alternatives."""
    page.goto(site)
    expect(page.get_by_role("heading", name="Action Camcorder Mounts")).to_be_visible()
    expect(
        page.get_by_role("navigation", name="Category path").get_by_role("listitem")
    ).to_have_count(5)
    expect(page.locator("mark", has_text="GoPro").first).to_be_visible()
    expect(page.locator(".verdict")).to_contain_text("not sure which kind")
    expect(page.get_by_text("Tripod Mounts")).to_be_visible()
    keep(page)


def test_the_answer_follows_the_typing(page, site, keep):
    """Typed text is classified without a button, and the last version wins."""
    page.goto(site)
    page.get_by_role("button", name="Clear").click()
    page.get_by_label("Name", exact=True).press_sequentially(
        "bluetooth speaker waterproof", delay=15
    )
    expect(page.get_by_role("heading", name="Bluetooth & Wireless Speakers")).to_be_visible()
    expect(page.locator(".verdict")).to_contain_text("Sure enough to use as it is.")
    keep(page)


def test_an_old_answer_never_replaces_a_newer_one(open_page, site):
    """The page aborts the request for an older input, so its late answer cannot be shown."""
    page = open_page()
    page.goto(site)
    held = []

    def is_old(request):
        return "hdmi" in (request.post_data or "")

    def hold_old(route):
        if is_old(route.request):
            held.append(route)
        else:
            route.continue_()

    page.route("**/v1/predict", hold_old)
    with page.expect_request(is_old):
        page.get_by_role("button", name="hdmi cbl 6ft").click()
    with page.expect_event("requestfailed", is_old):
        page.get_by_role("button", name="bluetooth speaker waterproof").click()
    (late,) = held
    with suppress(Error):  # an aborted request takes no response
        late.continue_()
    expect(page.get_by_role("heading", name="Bluetooth & Wireless Speakers")).to_be_visible()


def test_a_dozen_examples_are_one_click_away(open_page, site):
    """Each of twelve examples gets a result and is marked as the selected one."""
    page = open_page()
    page.goto(site)
    chips = page.get_by_role("group", name="Or one of these").get_by_role("button")
    expect(chips).to_have_count(12)
    for chip in chips.all():
        chip.click()
        expect(chip).to_have_attribute("aria-pressed", "true")
        expect(page.get_by_role("region", name="Result")).not_to_have_attribute("aria-busy", "true")
        expect(page.get_by_role("navigation", name="Category path")).to_be_visible()


def test_a_link_restores_the_input(open_page, site):
    """A copied link restores all fields of the input, which no requested URL contains."""
    page = open_page()
    page.goto(site)
    page.get_by_role("button", name="Whirlpool").click()
    page.get_by_role("button", name="Copy link").click()
    link = page.evaluate("navigator.clipboard.readText()")
    urls = []
    other = open_page()
    other.on("request", lambda request: urls.append(request.url))
    other.goto(link)
    expect(other.get_by_label("Manufacturer", exact=True)).to_have_value("Whirlpool")
    expect(other.get_by_label("Price", exact=True)).to_have_value("1799.99")
    expect(other.get_by_role("navigation", name="Category path")).to_be_visible()
    assert not [url for url in urls if "Whirlpool" in urlsplit(url).query]


def test_the_copied_command_gives_the_same_answer(open_page, site):
    """The copied curl command runs in a shell, with all its quotes, and predicts the same."""
    page = open_page()
    page.goto(site)
    page.get_by_label("Name", exact=True).fill("chef's 8\" knife & $HOME set")
    expect(page.locator(".why")).to_contain_text("chef's")
    shown = page.locator(".levels .name").last.inner_text()
    page.get_by_role("button", name="Copy as curl").click()
    command = page.evaluate("navigator.clipboard.readText()")
    process = subprocess.run(["bash", "-c", command], capture_output=True, check=True, text=True)
    assert shown.startswith(json.loads(process.stdout)["category"]["name"])


def test_markup_in_a_product_is_text(page, site, keep):
    """A product name with markup is shown as typed, and its script does not run."""
    page.goto(site)
    page.get_by_label("Description").fill("A camera mount")
    page.get_by_label("Name", exact=True).fill(ATTACK)
    expect(page.locator(".why").get_by_text(ATTACK)).to_be_visible()
    assert page.locator("main img").count() == 0
    page.get_by_label("Description").fill("")
    expect(page.get_by_role("heading", name="This cannot be classified")).to_be_visible()
    keep(page)


def test_an_empty_form_is_no_error(page, site, keep):
    """An empty form says what to do, without a request to the API."""
    page.goto(site)
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_role("heading", name="Nothing to go by yet")).to_be_visible()
    keep(page)


def test_a_lost_connection_is_shown_and_recovers(page, site, keep):
    """Without a network the page says so and keeps the input; with one, it resumes."""
    page.goto(site)
    expect(page.get_by_role("heading", name="Action Camcorder Mounts")).to_be_visible()
    page.context.set_offline(offline=True)
    page.get_by_label("Description").fill("")
    page.get_by_label("Name", exact=True).fill("hdmi cbl 6ft")
    expect(page.get_by_role("heading", name="No connection to the API")).to_be_visible()
    keep(page)
    page.context.set_offline(offline=False)
    expect(page.get_by_role("heading", name="TV & Home Theater Accessories")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value("hdmi cbl 6ft")
    expect(page.locator("#banner")).to_be_empty()


def test_the_flow_works_with_the_keyboard_alone(open_page, site):
    """The keyboard skips to the content, types, reaches the example buttons and presses one."""
    page = open_page()
    page.goto(site)
    expect(page.get_by_role("navigation", name="Category path")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("hdmi cbl 6ft")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    expect(page.get_by_role("heading", name="TV & Home Theater Accessories")).to_be_visible()
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "bluetooth speaker waterproof":
            break
    page.keyboard.press("Space")
    expect(page.get_by_role("heading", name="Bluetooth & Wireless Speakers")).to_be_visible()
