"""Fetch the open data set that Aisle trains on where no catalogue is given."""

from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from rich.progress import wrap_file

from aisle.errors import DataError
from training.progress import console, say

URL = "https://raw.githubusercontent.com/anyoneai/e-commerce-open-data-set/master/products.json"
CACHE = Path(".aisle") / "cache"
_TIMEOUT = 30


def open_data_set(url: str = URL, cache: Path = CACHE) -> Path:
    """Return the file of the open data set, fetching it where it is not cached.

    Raises DataError, which names `--data`, where it cannot be reached.
    """
    target = cache / url.rsplit("/", maxsplit=1)[-1]
    if target.exists():
        say(f"Using {target}, fetched before.")
        return target
    partial = target.with_name(target.name + ".part")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with urlopen(url, timeout=_TIMEOUT) as response, partial.open("wb") as out:  # noqa: S310  # an https constant
            total = int(response.headers.get("Content-Length") or 0)
            with wrap_file(
                response,
                total,
                description=f"fetching {target.name}",
                console=console,
                disable=not console.is_terminal,
            ) as reader:
                while block := reader.read(1 << 20):
                    out.write(block)
        partial.replace(target)
    except (URLError, OSError) as error:
        raise DataError(
            f"The open data set could not be fetched from {url}: {error}. Connect to the internet "
            "and try again, or give a catalogue of your own with --data FILE."
        ) from error
    return target
