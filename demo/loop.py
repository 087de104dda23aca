"""The loop from corrections to a better model, and back: `python -m demo.loop`.

Each step is a command or a request that any user could send. The first step that fails ends the
demo with exit code 1.
"""

import argparse
import gzip
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from demo import shop
from demo.service import ApiClient, DemoError, aisle, names, serving, until

BEST_BUY: Final = Path(__file__).parents[2] / "shared" / "data" / "bestbuy" / "products.jsonl.gz"
_PRODUCTS: Final = 3_000
_FAMILY: Final = 90
_CORRECTED: Final = 60
_SEED: Final = 7
_VERDICT: Final = {True: "passed", False: "failed", None: "not applicable"}


@dataclass(frozen=True, slots=True)
class Story:
    """A catalogue, and a family of new products that it does not contain."""

    shop: str
    family: str
    catalogue: list[dict[str, Any]]
    newcomers: list[dict[str, Any]]


def made_up_shop() -> Story:
    """Make up a shop that has just started to sell moka pots."""
    rows = [*shop.messy(shop.products(_PRODUCTS, seed=_SEED), seed=_SEED)]
    return Story("A made-up shop", "moka pots", rows, [*shop.family(_FAMILY, seed=_SEED)])


def best_buy() -> Story:
    """Take half of Best Buy's products, and treat one category as new to the shop."""
    with gzip.open(BEST_BUY, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    counts = Counter(_id(row) for row in rows)
    named = Counter(_id(row) for row in rows if row["name"])
    # Of the categories small enough for one client to move, the one with the most named products.
    leaf = max((count, id_) for id_, count in named.items() if counts[id_] <= 2 * _CORRECTED)[1]
    family = [row for row in rows if _id(row) == leaf]
    # Half of the others: two trainings on all of them would take too long.
    rest = [row for row in rows if _id(row) != leaf][::2]
    return Story("Best Buy", family[0]["category"][-1]["name"], rest, family)


def main() -> None:
    """Run the demo for each selected shop."""
    parser = argparse.ArgumentParser(prog="python -m demo.loop", description=__doc__)
    parser.add_argument(
        "--shop",
        choices=["made-up", "best-buy", "both"],
        default="both",
        help="the shop to use (default: both; best-buy needs the open data set)",
    )
    choice = parser.parse_args().shop
    stories = [made_up_shop] if choice != "best-buy" else []
    if choice != "made-up":
        if BEST_BUY.exists():
            stories.append(best_buy)
        else:
            print(f"Skipping Best Buy: its products are not at {BEST_BUY}.")
    try:
        for story in stories:
            with tempfile.TemporaryDirectory(prefix="aisle-demo-") as folder:
                tell(story(), Path(folder))
    except DemoError as error:
        print(f"\nFAILED: {error}")
        sys.exit(1)


@dataclass(frozen=True, slots=True)
class Loop:
    """The demo on a running service: its API, and commands on its store."""

    api: ApiClient
    command: Callable[..., str]
    say: Callable[[str], None]
    start_seconds: float = 90.0
    """How long to wait for a training job to start."""
    swap_seconds: float = 60.0
    """How long to wait for another model to serve."""

    def run(self, story: Story, first: str) -> None:
        """Go from the first model to a better one, and back."""
        corrected, witness = self._classify(story)
        second = self._learn(corrected, first)
        (category,) = self.api.classify([witness])
        _expect(
            category == _id(witness),
            f"the new model puts {witness['name']!r} in {category!r}, not in {_id(witness)!r}",
        )
        self.say(f"{witness['name']!r}, which nobody has corrected, is now in {_shown(witness)}.")
        self._roll_back(witness, first, second)

    def _classify(self, story: Story) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Classify the family; return the products to correct, and a witness to leave alone."""
        rows = story.newcomers
        categories = self.api.classify(rows)
        wrong = [
            row for row, category in zip(rows, categories, strict=True) if category != _id(row)
        ]
        most_common = Counter(categories).most_common(3)
        top = ", ".join(f"{count} x {category}" for category, count in most_common)
        self.say(
            f"The shop starts to sell {story.family}. The model puts {len(wrong)} of "
            f"{len(categories)} in the wrong category. Its most frequent answers: {top}."
        )
        named = [row for row in wrong if row["name"]]
        _expect(len(wrong) > _CORRECTED and named, "too few are wrong for the demo")
        witness = named[-1]
        return [row for row in wrong if row is not witness][:_CORRECTED], witness

    def _learn(self, corrected: list[dict[str, Any]], first: str) -> str:
        """Correct products and wait for the new model; return its version."""
        recorded = self.api.correct(corrected)
        _expect(
            recorded == len(corrected),
            f"only {recorded} corrections of {len(corrected)} were recorded",
        )
        self.say(f"{recorded} corrections recorded: these belong in {_shown(corrected[0])}.")
        until(lambda: _started(self.api), "a training job starts by itself", self.start_seconds)
        why = self.api.get("/v1/feedback/stats")["why"]
        self.say(f"A training job started by itself. {why}")
        for state in _states(self.api):
            self.say(f"  {state}")
        status = self.api.get("/v1/training")
        _expect(
            status["state"] == "published",
            f"the training job was {status['state']}: {status['message']}",
        )
        second = str(status["version"])
        _expect(second != first, "the training job published the same model again")
        checks = self.api.get(f"/v1/models/{second}/report").get("checks", [])
        _expect(checks, "the report of the new model lists no checks of the gate")
        for check in checks:
            self.say(f"  gate: {check['name']}: {_VERDICT[check['passed']]}")
        until(
            lambda: _serving_version(self.api) == second,
            f"model {second} serves",
            self.swap_seconds,
        )
        self.say(f"Model {second} serves instead of {first}.")
        return second

    def _roll_back(self, witness: dict[str, Any], first: str, second: str) -> None:
        """Go back to the first model."""
        self.command("model", "rollback", "--why", "The demo goes back.")
        until(
            lambda: _serving_version(self.api) == first,
            f"model {first} serves again",
            self.swap_seconds,
        )
        (category,) = self.api.classify([witness])
        _expect(category != _id(witness), "the rollback did not change the answer")
        models = self.api.get("/v1/models")
        last = models["history"][0]
        _expect(
            (models["current"], last["event"]) == (first, "rolled back"),
            "the history has no record of the rollback",
        )
        self.say(f"`aisle model rollback`: {first} serves again instead of {second}.")


def tell(story: Story, folder: Path) -> None:
    """Run the demo in a folder, starting with the catalogue."""
    start = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - start:4.0f} s] {text}", flush=True)

    store, catalogue = folder / "store", folder / "catalogue.jsonl.gz"
    say(f"{story.shop}: training a model on {len(story.catalogue)} products.")
    shop.write_catalogue(catalogue, story.catalogue)
    first = aisle(store, "train", "--data", str(catalogue))
    with serving(store) as api:
        say(f"Model {first} serves at {api.address}.")
        Loop(api, partial(aisle, store), say).run(story, first)
    say(f"{story.shop}: every step succeeded.")


def _states(api: ApiClient) -> Iterator[str]:
    """Yield the status of the training job at each change, until it ends."""
    previous = ""
    while True:
        status = api.get("/v1/training")
        message = status["message"]
        if message != previous:
            yield f"{status['state']}, {status['progress']:.0%}: {message}"
        previous = message
        if status["state"] != "running":
            return
        time.sleep(0.5)


def _started(api: ApiClient) -> bool:
    last = api.get("/v1/feedback/stats")["last"]
    return bool(last and last["started"])


def _serving_version(api: ApiClient) -> str:
    return str(api.get("/v1/model")["version"])


def _id(row: dict[str, Any]) -> str:
    """Return the id of a row's category: the shop's own, or its path of names."""
    return str(row["category"][-1]["id"])


def _shown(row: dict[str, Any]) -> str:
    return " > ".join(names(row))


def _expect(condition: object, failure: str) -> None:
    if not condition:
        raise DemoError(f"{failure[0].upper()}{failure[1:]}.")


if __name__ == "__main__":
    main()
