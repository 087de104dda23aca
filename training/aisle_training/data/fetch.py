"""Download the open data set that Aisle trains on where no catalogue is given."""

from pathlib import Path

from aisle.catalogue.download import CACHE, fetch

URL = "https://raw.githubusercontent.com/anyoneai/e-commerce-open-data-set/master/products.json"


def open_data_set(url: str = URL, cache: Path = CACHE) -> Path:
    """Return the open data set's file; it never changes, so it is downloaded only once.

    Raises DataError, which mentions `--data`, where the download fails.
    """
    advice = "or give a catalogue of your own with --data FILE"
    return fetch(url, cache=cache, again=False, advice=advice)
