"""The loop from a correction to a better model, and back: `python -m demo.loop`.

Every step is a command or a request that anybody could send. It ends with exit code 1 at the first
thing that does not happen.
"""

import argparse
import gzip
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from demo import shop
from demo.service import Api, DemoError, aisle, names, serving, until

BEST_BUY: Final = Path(__file__).parents[2] / "shared" / "data" / "bestbuy" / "products.jsonl.gz"
_PRODUCTS: Final = 3_000
_FAMILY: Final = 90
_CORRECTED: Final = 60
_SEED: Final = 7


@dataclass(frozen=True, slots=True)
class Story:
    """A catalogue, and a family of products of which it has none."""

    shop: str
    family: str
    catalogue: list[dict[str, Any]]
    newcomers: list[dict[str, Any]]


def made_up_shop() -> Story:
    """Make up a shop, which has just begun to sell moka pots."""
    rows = [*shop.messy(shop.products(_PRODUCTS, seed=_SEED), seed=_SEED)]
    return Story("A made-up shop", "moka pots", rows, [*shop.family(_FAMILY, seed=_SEED)])


def best_buy() -> Story:
    """Take Best Buy's products, and pretend that one category of them is new to the shop."""
    with gzip.open(BEST_BUY, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    counts = Counter(row["category"][-1]["id"] for row in rows)
    # The largest that one client may move as a whole, and the same one every time.
    leaf = max((count, one) for one, count in counts.items() if count <= 2 * _CORRECTED)[1]
    family = [row for row in rows if row["category"][-1]["id"] == leaf]
    rest = [row for row in rows if row["category"][-1]["id"] != leaf]
    return Story("Best Buy", family[0]["category"][-1]["name"], rest, family)


def main() -> None:
    """Tell the story of each shop that is there."""
    parser = argparse.ArgumentParser(prog="python -m demo.loop", description=__doc__)
    parser.add_argument("--shop", choices=["made-up", "best-buy", "both"], default="both")
    chosen = parser.parse_args().shop
    stories = [made_up_shop] if chosen != "best-buy" else []
    if chosen != "made-up":
        if BEST_BUY.exists():
            stories.append(best_buy)
        else:
            print(f"Best Buy's products are not at {BEST_BUY}: that shop is left out.")
    try:
        for story in stories:
            with tempfile.TemporaryDirectory(prefix="aisle-demo-") as folder:
                _Told(time.monotonic()).tell(story(), Path(folder))
    except DemoError as error:
        print(f"\nFAILED: {error}")
        sys.exit(1)


@dataclass(slots=True)
class _Told:
    """A story as it is told, with the seconds since it began."""

    began: float

    def say(self, text: str) -> None:
        """Say what happens."""
        print(f"[{time.monotonic() - self.began:5.0f} s] {text}", flush=True)

    def tell(self, story: Story, folder: Path) -> None:
        """Go all the way, and back."""
        store, catalogue = folder / "store", folder / "catalogue.jsonl.gz"
        self.say(f"{story.shop}: {len(story.catalogue)} products. A model is trained on them.")
        shop.write_catalogue(catalogue, story.catalogue)
        first = aisle(store, "train", "--data", str(catalogue))
        with serving(store) as api:
            self.say(f"Model {first} serves at {api.address}.")
            corrected, witness = self._ask(api, story)
            second = self._learn(api, corrected, first)
            (answer,) = api.classify([witness])
            _expect(answer == _id(witness), f"the new model calls it {answer!r}")
            self.say(f"{witness['name']!r}, which nobody has corrected, is now {_shown(witness)}.")
            self._go_back(api, store, witness, first, second)
        self.say(f"{story.shop}: everything has happened.\n")

    def _ask(self, api: Api, story: Story) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Ask about the family; return what to correct, and one that nobody will."""
        said = api.classify(story.newcomers)
        wrong = [row for row, one in zip(story.newcomers, said, strict=True) if one != _id(row)]
        self.say(
            f"The shop begins to sell {story.family}. Of {len(said)} of them, {len(wrong)} are "
            f"wrong: " + ", ".join(f"{n} × {one}" for one, n in Counter(said).most_common(3)) + "."
        )
        named = [row for row in wrong if row["name"]]
        _expect(len(wrong) > _CORRECTED and named, "too few are wrong to tell a story of")
        witness = named[-1]
        return [row for row in wrong if row is not witness][:_CORRECTED], witness

    def _learn(self, api: Api, corrected: list[dict[str, Any]], first: str) -> str:
        """Correct products, and watch what comes of it; return the version of the new model."""
        recorded = api.correct(corrected)
        _expect(recorded == len(corrected), f"only {recorded} corrections were recorded")
        self.say(f"{recorded} are corrected: they are {_shown(corrected[0])}.")
        until(lambda: _started(api), "a training run starts by itself", 60)
        self.say(f"A training run started by itself. {api.get('/v1/feedback/stats')['why']}")
        for state in _states(api):
            self.say(f"  {state}")
        ended = api.get("/v1/training")
        _expect(ended["state"] == "published", f"it was {ended['state']}: {ended['message']}")
        second = str(ended["version"])
        report = api.get(f"/v1/models/{second}/report")
        for check in report.get("checks", []):
            self.say(f"  {'passed' if check['passed'] else 'not asked'}: {check['name']}")
        until(lambda: _serves(api) == second, f"model {second} serves", 30)
        _expect(second != first, "the model is the same")
        self.say(f"Model {second} serves instead of {first}.")
        return second

    def _go_back(
        self, api: Api, store: Path, witness: dict[str, Any], first: str, second: str
    ) -> None:
        """Take the new model back."""
        aisle(store, "model", "rollback", "--why", "The demo goes back.")
        until(lambda: _serves(api) == first, f"model {first} serves again", 60)
        (answer,) = api.classify([witness])
        _expect(answer != _id(witness), "the answer stayed")
        current = api.get("/v1/models")
        last = current["history"][0]
        _expect((current["current"], last["event"]) == (first, "rolled back"), "no record of it")
        self.say(f"`aisle model rollback`: {first} serves again, not {second}; so does its answer.")


def _states(api: Api) -> Iterator[str]:
    """Yield what a training run says of itself, whenever it says something else, to its end."""
    before = ""
    while True:
        status = api.get("/v1/training")
        now = status["message"]
        if now != before:
            yield f"{status['state']}, {status['progress']:.0%}: {now}"
        before = now
        if status["state"] != "running":
            return
        time.sleep(0.5)


def _started(api: Api) -> bool:
    last = api.get("/v1/feedback/stats")["last"]
    return bool(last and last["started"])


def _serves(api: Api) -> str:
    return str(api.get("/v1/model")["version"])


def _id(row: dict[str, Any]) -> str:
    """Return the id of a row's category: the shop's own, or its path of names."""
    return str(row["category"][-1]["id"])


def _shown(row: dict[str, Any]) -> str:
    return " > ".join(names(row))


def _expect(held: object, otherwise: str) -> None:
    if not held:
        raise DemoError(f"{otherwise[0].upper()}{otherwise[1:]}.")


if __name__ == "__main__":
    main()
