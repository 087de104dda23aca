"""A whole catalogue: a file in, what needs a person first, a file out."""

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
    """Choose a file as a person does."""
    page.goto(f"{site}#/catalogue")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a file").click()
    chooser.value.set_files({"name": name, "mimeType": "text/csv", "buffer": data})


def download(page):
    """Return the rows of the file that is downloaded."""
    with page.expect_download() as found:
        page.get_by_role("button", name="Download CSV").click()
    text = found.value.path().read_text("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_file_becomes_a_table_and_a_file(page, site, keep):
    """Columns are recognised, rows sorted by need, failures told, and the download is complete."""
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


def test_a_spreadsheet_runs_nothing_of_the_download(open_page, site):
    """What began as a formula comes back with an apostrophe; a negative number stays one."""
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
    """A row's category is corrected in the table, and the download has the right one."""
    choose(page, site, "shop.csv", table(ROWS))
    page.get_by_role("button", name="Classify 4 rows").click()
    page.get_by_role("button", name="Correct row 2").click()
    page.keyboard.type("digital camera acc")
    expect(page.get_by_role("option").first).to_contain_text("Digital Camera Accessories")
    with page.expect_response("**/v1/feedback") as answer:
        page.keyboard.press("Enter")
    assert answer.value.status in {200, 201}
    assert answer.value.request.post_data_json["predicted"]["id"]
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
def test_tables_of_all_kinds_are_read_the_same(open_page, site, name, data):
    """Separators, encodings, gzip and JSON make no difference to what is read."""
    page = open_page()
    choose(page, site, name, data)
    expect(page.get_by_role("heading", name=f"{name}: 4 rows")).to_be_visible()
    page.get_by_role("button", name="Classify 4 rows").click()
    rows = download(page)
    assert [row["notes"] for row in rows][3] == "ölige Brücke"
    assert rows[3]["aisle_category"].endswith("Bluetooth & Wireless Speakers")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "The file is empty."),
        (b"name\n", "no rows"),
        (b"PK\x03\x04rest", "Save it as CSV"),
        (b'name\n"open', "never closed"),
        (b"\x1f\x8bbroken", "cannot be unpacked"),
        (b"[1, 2", "is none"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(open_page, site, data, said):
    """A file that is no table leaves the page ready for another, with a sentence."""
    page = open_page()
    choose(page, site, "broken.csv", data)
    expect(page.get_by_role("alert")).to_contain_text(said)
    expect(page.get_by_role("button", name="Choose a file")).to_be_visible()


@pytest.mark.slow
def test_five_thousand_rows_go_through_a_cut_and_a_cancel(open_page, site, keep):
    """5,000 rows: the network is cut and comes back, it is cancelled and goes on, all is there."""
    page = open_page()
    words = ["hdmi cable", "guitar strings", "coffee maker", "phone case", "camera bag"]
    rows = [{"id": str(at), "name": f"{words[at % 5]} {at}"} for at in range(5_000)]
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
    found = download(page)
    assert [row["id"] for row in found] == [row["id"] for row in rows]
    assert all(row["aisle_category"] and not row["aisle_error"] for row in found)
