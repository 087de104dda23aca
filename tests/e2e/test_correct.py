"""Corrections: find or add the right category, send feedback, and see the effect."""

import json

import pytest
from playwright.sync_api import expect

from aisle.store import open_store
from tests.commands import Server
from tests.made_up import products, write_catalogue

pytestmark = pytest.mark.e2e

NAME = "mystery gadget"


def stored_events(folder):
    """Return the feedback events in the store, in the order of their receipt."""
    events = [json.loads(path.read_text()) for path in folder.rglob("feedback/dt=*/*.json")]
    return sorted(events, key=lambda event: event["received"])


@pytest.fixture
def shop(tmp_path):
    """Give the service with its own store in `tmp_path / "store"`."""
    with Server(tmp_path, store="store", AISLE_POLL_SECONDS="1") as running:
        yield f"http://127.0.0.1:{running.port}/"


def begin(page, shop, name=NAME):
    """Open a product and wait for its result."""
    page.goto(f"{shop}#/try?name={name}")
    expect(page.get_by_role("button", name="Not right?")).to_be_visible()


def test_a_correction_is_found_and_stored(page, shop, tmp_path, keep):
    """Words find a category, two keys choose it, and the store has the correction."""
    begin(page, shop)
    page.get_by_role("button", name="Not right?").click()
    expect(page.get_by_role("combobox")).to_be_focused()
    page.keyboard.type("camera acc")
    expect(page.get_by_role("option").first).to_contain_text("Accessories")
    expect(page.get_by_role("option", selected=True)).to_have_count(1)
    keep(page, "search", full_page=False)
    page.keyboard.press("ArrowDown")
    chosen = page.get_by_role("option", selected=True).locator(".path").inner_text()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="correction saved")).to_be_visible()
    expect(page.get_by_role("button", name="Not right?")).to_have_count(0)
    keep(page)
    (event,) = stored_events(tmp_path)
    assert " › ".join(event["category"]["path"]) == chosen
    assert event["product"] == {"name": NAME}
    assert event["predicted"]["id"]
    assert event["predicted"]["path"] != event["category"]["path"]


def test_a_missing_category_can_be_added(page, shop, tmp_path, keep):
    """A new name and its parent category make a path that is not in the taxonomy."""
    begin(page, shop)
    page.get_by_role("button", name="Not right?").click()
    page.keyboard.type("Smart Toothbrushes")
    page.get_by_role("option", name="Add a new category").click()
    expect(page.get_by_label("Where does “Smart Toothbrushes” belong?")).to_be_focused()
    page.keyboard.type("appliances")
    page.get_by_role("option", name="Appliances", exact=True).click()
    expect(page.get_by_role("heading", name="correction saved")).to_be_visible()
    keep(page)
    (event,) = stored_events(tmp_path)
    assert event["category"] == {"path": ["Appliances", "Smart Toothbrushes"]}


def test_a_correction_shows_how_far_the_next_training_is(open_page, shop):
    """After the service has counted it, the page shows how many corrections are missing."""
    page = open_page()
    begin(page, shop)
    page.get_by_role("button", name="Not right?").click()
    page.keyboard.type("camera lenses")
    expect(page.get_by_role("option").first).to_contain_text("Camera Lenses")
    page.keyboard.press("Enter")
    progress = page.get_by_text("49 more corrections until the next training (1 of 50).")
    expect(progress).to_be_visible(timeout=60_000)


def test_a_right_answer_is_confirmed(open_page, shop, tmp_path):
    """One click confirms the prediction, and the event has its id."""
    page = open_page()
    begin(page, shop)
    page.get_by_role("button", name="Yes").click()
    expect(page.get_by_role("heading", name="confirmation saved")).to_be_visible()
    (event,) = stored_events(tmp_path)
    assert event["right"]
    assert event["predicted"]["path"]
    assert len(event["prediction_id"]) == 24


def test_escape_leaves_everything_as_it_was(open_page, shop, tmp_path):
    """Escape leaves the parent search, then the dialog; nothing is sent, and focus returns."""
    page = open_page()
    begin(page, shop)
    page.get_by_role("button", name="Not right?").click()
    page.keyboard.type("zzz")
    page.get_by_role("option", name="Add a new category").click()
    page.keyboard.press("Escape")
    expect(page.get_by_label("Search by any words of the path")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Not right?")).to_be_focused()
    assert not stored_events(tmp_path)


def test_a_correction_survives_a_lost_connection(open_page, shop, tmp_path):
    """The page says that it could not send a correction, and a click sends it when it can."""
    page = open_page()
    begin(page, shop)
    page.get_by_role("button", name="Not right?").click()
    expect(page.get_by_role("option").first).to_be_visible()
    page.context.set_offline(offline=True)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Not saved:")).to_be_visible()
    page.context.set_offline(offline=False)
    page.get_by_role("button", name="Try again").last.click()
    expect(page.get_by_role("heading", name="correction saved")).to_be_visible()
    assert len(stored_events(tmp_path)) == 1


def test_a_new_model_is_shown_with_before_and_after(open_page, shop, tmp_path, keep):
    """When a new model is published, an open page shows its answer beside the old one's."""
    from aisle_training.parameters import DEFAULT, load
    from aisle_training.pipeline import Trainer

    page = open_page()
    begin(page, shop, "electric kettle 1.7 l")
    page.get_by_role("button", name="Yes").click()
    expect(page.get_by_role("heading", name="confirmation saved")).to_be_visible()
    store = open_store((tmp_path / "store").as_uri())
    Trainer(store, load(DEFAULT)).train(
        write_catalogue(tmp_path / "catalogue.jsonl", products(400))
    )
    expect(page.get_by_role("heading", name="A new model has arrived")).to_be_visible(
        timeout=30_000
    )
    expect(page.locator(".versus > div")).to_have_count(2)
    expect(page.locator(".versus > div").last).to_contain_text("Kettles")
    expect(page.get_by_text("A new model is in use:")).to_be_visible()
    keep(page)
    page.get_by_role("button", name="View it").click()
    event = page.locator(".events > li").first
    expect(event).to_contain_text("promoted")
    event.get_by_text("Report").click()
    expect(event.get_by_text("It passed the gate.")).to_be_visible()
    expect(page.get_by_role("img", name="Does the confidence mean what it says?")).to_be_visible()
    keep(page, "model")
