"""Fetch the open data set that Aisle trains on where no catalogue is given."""

from pathlib import Path

from aisle.catalogue.download import CACHE, fetch

URL = "https://raw.githubusercontent.com/anyoneai/e-commerce-open-data-set/master/products.json"


def open_data_set(url: str = URL, cache: Path = CACHE) -> Path:
    """Return the file of the open data set, fetched once: it does not change any more.

    Raises DataError, which names `--data`, where it cannot be reached.
    """
    advice = "or give a catalogue of your own with --data FILE"
    return fetch(url, cache=cache, again=False, advice=advice)
