"""The catalogue view: a file in, rows that need review first, a file out."""

import csv
import gzip
import io
import json

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.e2e

ATTACK = "<img src=x onerror=alert(1)>"
ROWS = [
    {"sku": "1", "Title": "hdmi cbl 6ft", "Brand": "", "notes": "=1+1"},
    {
        "sku": "2",
        "Title": f"{ATTACK} camera, 12 MP",
        "Brand": "Canon",
        "notes": '+cmd|"/C calc"!A0',
    },
    {"sku": "3", "Title": "", "Brand": "", "notes": "-12.50"},
    {"sku": "4", "Title": "bluetooth speaker\nwaterproof", "Brand": "", "notes": "ölige Brücke"},
]


def table(rows, separator=","):
    """Return rows as a CSV file's bytes."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=separator)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def choose(page, site, name, data):
    """Choose a file as a user does."""
    page.goto(f"{site}#/catalogue")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a file").click()
    chooser.value.set_files({"name": name, "mimeType": "text/csv", "buffer": data})


def download(page):
    """Download the file and return its rows."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    text = download.value.path().read_text("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_file_becomes_a_table_and_a_file(page, site, keep):
    """The view recognises columns, sorts rows by urgency, shows failures, downloads all rows."""
    choose(page, site, "shop.csv", table(ROWS))
    expect(page.get_by_role("heading", name="shop.csv: 4 rows")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Title")
    expect(page.get_by_label("Manufacturer")).to_have_value("Brand")
    keep(page, "columns")
    page.get_by_role("button", name="Classify 4 rows").click()
    expect(page.get_by_role("heading", name="4 rows in")).to_be_visible()
    first = page.get_by_role("row").nth(1)
    expect(first).to_contain_text("Failed")
    expect(page.get_by_text(ATTACK)).to_be_visible()
    keep(page)
    page.get_by_role("button", name="Failed 1").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    rows = download(page)
    assert [row["sku"] for row in rows] == ["1", "2", "3", "4"]
    assert rows[0]["aisle_category"].endswith("A/V Cables & Connectors")
    assert rows[2]["aisle_error"]
    assert rows[3]["Title"] == ROWS[3]["Title"]


def test_the_download_contains_no_formula(open_page, site):
    """Formulas in the file come back with an apostrophe; a negative number stays a number."""
    page = open_page()
    choose(page, site, "shop.csv", table(ROWS))
    page.get_by_role("button", name="Classify 4 rows").click()
    rows = download(page)
    assert [row["notes"] for row in rows] == [
        "'=1+1",
        "'" + ROWS[1]["notes"],
        "-12.50",
        "ölige Brücke",
    ]


def test_a_correction_in_place_is_sent_and_downloaded(page, site, keep):
    """A correction in the table is sent as feedback, and the download has the right category."""
    choose(page, site, "shop.csv", table(ROWS))
    page.get_by_role("button", name="Classify 4 rows").click()
    page.get_by_role("button", name="Correct row 2").click()
    page.keyboard.type("digital camera acc")
    expect(page.get_by_role("option").first).to_contain_text("Digital Camera Accessories")
    with page.expect_response("**/v1/feedback") as response:
        page.keyboard.press("Enter")
    assert response.value.status in {200, 201}
    assert response.value.request.post_data_json["predicted"]["id"]
    expect(page.locator("tbody").get_by_text("Corrected")).to_be_visible()
    expect(page.get_by_role("button", name="Correct row 2")).to_be_focused()
    expect(page.get_by_role("button", name="Corrected 1")).to_be_visible()
    expect(page.get_by_text("1 failed, 1 corrected")).to_be_visible()
    keep(page)
    row = download(page)[1]
    assert row["aisle_corrected"] == "true"
    assert row["aisle_category"] == "Cameras & Camcorders > Digital Camera Accessories"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("tabs.tsv", table(ROWS, "\t")),
        ("semicolons.csv", table(ROWS, ";")),
        ("old.csv", table(ROWS).decode().encode("cp1252")),
        ("rows.csv.gz", gzip.compress(table(ROWS))),
        ("rows.jsonl", "\n".join(json.dumps(row) for row in ROWS).encode()),
        ("rows.json", json.dumps(ROWS).encode()),
    ],
)
def test_all_file_formats_give_the_same_rows(open_page, site, name, data):
    """Separators, encodings, gzip and JSON make no difference to the rows."""
    page = open_page()
    choose(page, site, name, data)
    expect(page.get_by_role("heading", name=f"{name}: 4 rows")).to_be_visible()
    page.get_by_role("button", name="Classify 4 rows").click()
    rows = download(page)
    assert [row["notes"] for row in rows][3] == "ölige Brücke"
    assert rows[3]["aisle_category"].endswith("Bluetooth & Wireless Speakers")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "The file is empty."),
        (b"name\n", "no rows"),
        (b"PK\x03\x04rest", "Save it as CSV"),
        (b'name\n"open', "never closed"),
        (b"\x1f\x8bbroken", "cannot be unpacked"),
        (b"[1, 2", "is not valid JSON"),
    ],
)
def test_an_unreadable_file_gets_an_explanation(open_page, site, data, message):
    """A file that is no table gets an explanation, and the page is ready for another file."""
    page = open_page()
    choose(page, site, "broken.csv", data)
    expect(page.get_by_role("alert")).to_contain_text(message)
    expect(page.get_by_role("button", name="Choose a file")).to_be_visible()


@pytest.mark.slow
def test_five_thousand_rows_go_through_a_cut_and_a_cancel(open_page, site, keep):
    """Classifying 5,000 rows survives a lost network and a cancellation, and loses no row."""
    page = open_page()
    words = ["hdmi cable", "guitar strings", "coffee maker", "phone case", "camera bag"]
    rows = [{"id": str(n), "name": f"{words[n % 5]} {n}"} for n in range(5_000)]
    choose(page, site, "five-thousand.csv", table(rows))
    page.get_by_role("button", name="Classify 5,000 rows").click()
    expect(page.get_by_text("a second")).to_be_visible(timeout=30_000)
    page.context.set_offline(offline=True)
    expect(page.get_by_text("Waiting for the API")).to_be_visible(timeout=30_000)
    keep(page, "cut")
    page.context.set_offline(offline=False)
    expect(page.get_by_text("left")).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", name="Stopped at")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("heading", name="5,000 rows in")).to_be_visible(timeout=300_000)
    expect(page.get_by_text("Page 1 of 100")).to_be_visible()
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text("Rows 51 to 100 of 5,000")).to_be_visible()
    keep(page)
    results = download(page)
    assert [row["id"] for row in results] == [row["id"] for row in rows]
    assert all(row["aisle_category"] and not row["aisle_error"] for row in results)
