"""Try it: a product in, its aisle out."""

import json
import subprocess
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Error, expect

pytestmark = pytest.mark.e2e

ATTACK = "<img src=x onerror=alert(1)>"


def test_a_first_visit_shows_a_result_without_a_click(page, site, keep):
    """The page opens on an example with its path, confidences, reasons and alternatives."""
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
    """What is typed is classified without a button, and the last word wins."""
    page.goto(site)
    page.get_by_role("button", name="Clear").click()
    page.get_by_label("Name", exact=True).press_sequentially(
        "bluetooth speaker waterproof", delay=15
    )
    expect(page.get_by_role("heading", name="Bluetooth & Wireless Speakers")).to_be_visible()
    expect(page.locator(".verdict")).to_contain_text("Sure enough to use as it is.")
    keep(page)


def test_an_old_answer_never_replaces_a_newer_one(open_page, site):
    """An answer that comes late is dropped: what is shown is what was typed last."""
    page = open_page()
    page.goto(site)
    held = []

    def hold_first(route):
        if "hdmi" in (route.request.post_data or ""):
            held.append(route)
        else:
            route.continue_()

    page.route("**/v1/predict", hold_first)
    page.get_by_role("button", name="hdmi cbl 6ft").click()
    page.get_by_role("button", name="bluetooth speaker waterproof").click()
    expect(page.get_by_role("heading", name="Bluetooth & Wireless Speakers")).to_be_visible()
    (late,) = held
    with suppress(Error):  # who has given a request up cannot be answered
        late.continue_()
    page.wait_for_timeout(1_000)
    expect(page.get_by_role("heading", name="Bluetooth & Wireless Speakers")).to_be_visible()


def test_a_dozen_examples_are_one_click_away(open_page, site):
    """Each of twelve examples gets a result, and shows that it is the one."""
    page = open_page()
    page.goto(site)
    chips = page.get_by_role("group", name="Or one of these").get_by_role("button")
    expect(chips).to_have_count(12)
    for at in range(12):
        chips.nth(at).click()
        expect(chips.nth(at)).to_have_attribute("aria-pressed", "true")
        expect(page.get_by_role("region", name="Result")).not_to_have_attribute("aria-busy", "true")
        expect(page.get_by_role("navigation", name="Category path")).to_be_visible()


def test_a_link_brings_the_input_back(open_page, site):
    """A copied link opens on all fields of the input, and no URL that is asked for has them."""
    page = open_page()
    page.goto(site)
    page.get_by_role("button", name="Whirlpool").click()
    page.get_by_role("button", name="Copy link").click()
    link = page.evaluate("navigator.clipboard.readText()")
    asked = []
    other = open_page()
    other.on("request", lambda request: asked.append(request.url))
    other.goto(link)
    expect(other.get_by_label("Manufacturer", exact=True)).to_have_value("Whirlpool")
    expect(other.get_by_label("Price", exact=True)).to_have_value("1799.99")
    expect(other.get_by_role("navigation", name="Category path")).to_be_visible()
    assert not [url for url in asked if "Whirlpool" in urlsplit(url).query]


def test_the_copied_command_gives_the_same_answer(open_page, site):
    """The command that is copied runs in a shell, quotes and all, and predicts the same."""
    page = open_page()
    page.goto(site)
    page.get_by_label("Name", exact=True).fill("chef's 8\" knife & $HOME set")
    expect(page.locator(".why")).to_contain_text("chef's")
    shown = page.locator(".levels .name").last.inner_text()
    page.get_by_role("button", name="Copy as curl").click()
    command = page.evaluate("navigator.clipboard.readText()")
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=True, text=True)
    assert shown.startswith(json.loads(done.stdout)["category"]["name"])


def test_markup_in_a_product_is_text(page, site, keep):
    """A product named as an image with a script is shown as typed, and nothing of it runs."""
    page.goto(site)
    page.get_by_label("Name", exact=True).fill(ATTACK)
    expect(page.locator(".why").get_by_text(ATTACK)).to_be_visible()
    assert page.locator("main img").count() == 0
    page.get_by_label("Description").fill("")
    expect(page.get_by_role("heading", name="This cannot be classified")).to_be_visible()
    keep(page)


def test_nothing_typed_is_no_error(page, site, keep):
    """An emptied form says what to do, without asking the API."""
    page.goto(site)
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_role("heading", name="Nothing to go by yet")).to_be_visible()
    keep(page)


def test_a_lost_connection_is_told_and_mended(page, site, keep):
    """Without a network the page says so and keeps what was typed; with one, it goes on."""
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
    """From the address bar: skip to the content, type, reach the example buttons, press one."""
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
