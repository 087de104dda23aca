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
_START_SECONDS: Final = 90.0
_SWAP_SECONDS: Final = 60.0
_VERDICT: Final = {True: "passed", False: "failed", None: "not asked"}


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
    """Take half of Best Buy's products, and pretend that one category is new to the shop."""
    with gzip.open(BEST_BUY, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    every = Counter(row["category"][-1]["id"] for row in rows)
    named = Counter(row["category"][-1]["id"] for row in rows if row["name"])
    # Of those that one client may move as a whole, the one with the most names to tell of.
    leaf = max((count, one) for one, count in named.items() if every[one] <= 2 * _CORRECTED)[1]
    family = [row for row in rows if row["category"][-1]["id"] == leaf]
    # Half of the others: two trainings on all of them would be a long story.
    rest = [row for row in rows if row["category"][-1]["id"] != leaf][::2]
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
                tell(story(), Path(folder))
    except DemoError as error:
        print(f"\nFAILED: {error}")
        sys.exit(1)


@dataclass(frozen=True, slots=True)
class Loop:
    """The story as it is told of a service: its API, and the commands on its store."""

    api: ApiClient
    command: Callable[..., str]
    say: Callable[[str], None]

    def go(self, story: Story, first: str) -> None:
        """Go all the way from the first model to a better one, and back."""
        corrected, witness = self._ask(story)
        second = self._learn(corrected, first)
        (answer,) = self.api.classify([witness])
        _expect(answer == _id(witness), f"the new model calls {witness['name']!r} {answer!r}")
        self.say(f"{witness['name']!r}, which nobody has corrected, is now {_shown(witness)}.")
        self._go_back(witness, first, second)

    def _ask(self, story: Story) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Ask about the family; return what to correct, and one that nobody will."""
        rows = story.newcomers
        said = self.api.classify(rows)
        wrong = [row for row, one in zip(rows, said, strict=True) if one != _id(row)]
        commonest = ", ".join(f"{n} x {one}" for one, n in Counter(said).most_common(3))
        self.say(
            f"The shop begins to sell {story.family}. Of {len(said)} asked about, {len(wrong)} "
            f"are put in the wrong place: {commonest}."
        )
        named = [row for row in wrong if row["name"]]
        _expect(len(wrong) > _CORRECTED and named, "too few are wrong to tell a story of")
        witness = named[-1]
        return [row for row in wrong if row is not witness][:_CORRECTED], witness

    def _learn(self, corrected: list[dict[str, Any]], first: str) -> str:
        """Correct products, and watch what comes of it; return the version of the new model."""
        recorded = self.api.correct(corrected)
        _expect(recorded == len(corrected), f"only {recorded} corrections were recorded")
        self.say(f"{recorded} are corrected: they are {_shown(corrected[0])}.")
        until(lambda: _started(self.api), "a training run starts by itself", _START_SECONDS)
        why = self.api.get("/v1/feedback/stats")["why"]
        self.say(f"A training run started by itself. {why}")
        for state in _states(self.api):
            self.say(f"  {state}")
        ended = self.api.get("/v1/training")
        _expect(ended["state"] == "published", f"it was {ended['state']}: {ended['message']}")
        second = str(ended["version"])
        _expect(second != first, "the model is the same")
        checks = self.api.get(f"/v1/models/{second}/report").get("checks", [])
        _expect(checks, "the gate has checked nothing")
        for check in checks:
            self.say(f"  gate: {check['name']}: {_VERDICT[check['passed']]}")
        until(lambda: _serves(self.api) == second, f"model {second} serves", _SWAP_SECONDS)
        self.say(f"Model {second} serves instead of {first}.")
        return second

    def _go_back(self, witness: dict[str, Any], first: str, second: str) -> None:
        """Take the new model back."""
        self.command("model", "rollback", "--why", "The demo goes back.")
        until(lambda: _serves(self.api) == first, f"model {first} serves again", _SWAP_SECONDS)
        (answer,) = self.api.classify([witness])
        _expect(answer != _id(witness), "the answer stayed")
        models = self.api.get("/v1/models")
        last = models["history"][0]
        _expect((models["current"], last["event"]) == (first, "rolled back"), "no record of it")
        self.say(f"`aisle model rollback`: {first} serves again, not {second}; so does its answer.")


def tell(story: Story, folder: Path) -> None:
    """Tell a story in a folder, from the catalogue on."""
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - began:4.0f} s] {text}", flush=True)

    store, catalogue = folder / "store", folder / "catalogue.jsonl.gz"
    say(f"{story.shop}: {len(story.catalogue)} products. A model is trained on them.")
    shop.write_catalogue(catalogue, story.catalogue)
    first = aisle(store, "train", "--data", str(catalogue))
    with serving(store) as api:
        say(f"Model {first} serves at {api.address}.")
        Loop(api, partial(aisle, store), say).go(story, first)
    say(f"{story.shop}: everything has happened.")


def _states(api: ApiClient) -> Iterator[str]:
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


def _started(api: ApiClient) -> bool:
    last = api.get("/v1/feedback/stats")["last"]
    return bool(last and last["started"])


def _serves(api: ApiClient) -> str:
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
