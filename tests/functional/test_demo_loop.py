"""The demo of the loop notices everything that does not happen; CI runs the real one too."""

import re

import pytest

from demo import loop, shop
from demo.loop import Loop, Story, made_up_shop
from demo.service import DemoError, product

FIRST, SECOND = "aaaaaaaaaaaa", "bbbbbbbbbbbb"
RIGHT = made_up_shop().newcomers[0]["category"][-1]["id"]


class Service:
    """A service that learns as it should, except for one thing that goes wrong."""

    def __init__(self, wrong=""):
        self.wrong = wrong
        self.corrected = []
        self.serves = FIRST
        self.history = []

    def classify(self, rows):
        """Classify; the second model knows the family."""
        knows = self.serves == SECOND and self.wrong != "nothing learnt"
        knows = knows or (
            self.wrong in {"known before", "answer stays"}
            and bool(self.wrong == "known before" or self.corrected)
        )
        return [RIGHT if knows else "elsewhere" for _ in rows]

    def correct(self, rows):
        """Keep corrections."""
        self.corrected += rows
        return len(rows) - (self.wrong == "one is lost")

    def get(self, path):
        """Answer as the API does."""
        started = bool(self.corrected) and self.wrong != "never starts"
        state = "refused" if self.wrong == "refused" else "published"
        if path == "/v1/training":
            if started and self.wrong != "never swaps" and not self.history:
                self.serves = FIRST if self.wrong == "the same" else SECOND
            version = FIRST if self.wrong == "the same" else SECOND
            return {"state": state, "progress": 1, "message": "So.", "version": version}
        checks = [] if self.wrong == "no gate" else [{"name": "accuracy", "passed": True}]
        return {
            "/v1/feedback/stats": {"last": {"started": started}, "why": "Due."},
            "/v1/model": {"version": self.serves},
            f"/v1/models/{SECOND}/report": {"checks": checks},
            "/v1/models": {"current": self.serves, "history": self.history},
        }[path]

    def command(self, *arguments):
        """Roll back."""
        assert arguments[:2] == ("model", "rollback")
        event = "promoted" if self.wrong == "no record" else "rolled back"
        self.history = [{"event": event}]
        self.serves = SECOND if self.wrong == "stays" else FIRST
        return ""


@pytest.fixture
def go():
    """Give the function that runs the demo on such a service, without waiting."""

    def tell(wrong=""):
        service, lines = Service(wrong), []
        fast = Loop(service, service.command, lines.append, start_seconds=0, swap_seconds=0)
        fast.run(made_up_shop(), FIRST)
        return service, lines

    return tell


def test_the_story_is_told_to_its_end(go):
    """Where all goes well, the demo ends with the rollback; one product was never corrected."""
    service, lines = go()
    assert "rollback" in lines[-1]
    assert len(service.corrected) == 60
    (name,) = re.findall(r"^'(.*)', which nobody has corrected", "\n".join(lines), re.MULTILINE)
    assert name not in {row["name"] for row in service.corrected}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("known before", "too few are wrong"),
        ("one is lost", "only 59 corrections of 60"),
        ("never starts", "a training job starts by itself"),
        ("refused", "the training job was refused"),
        ("the same", "published the same model again"),
        ("no gate", "no checks of the gate"),
        ("never swaps", f"model {SECOND} serves"),
        ("nothing learnt", "the new model puts"),
        ("stays", f"model {FIRST} serves again"),
        ("answer stays", "did not change the answer"),
        ("no record", "no record of the rollback"),
    ],
)
def test_whatever_does_not_happen_is_told(go, wrong, said):
    """The demo ends with an error where one thing that it promises does not happen."""
    with pytest.raises(DemoError, match=re.compile(said, re.IGNORECASE)):
        go(wrong)


def test_a_demo_that_fails_exits_with_1(monkeypatch, capsys):
    """A demo that fails exits with 1."""

    def fail(_story, _folder):
        raise DemoError("This did not happen.")

    monkeypatch.setattr(loop, "tell", fail)
    monkeypatch.setattr("sys.argv", ["loop", "--shop", "made-up"])
    with pytest.raises(SystemExit) as ended:
        loop.main()
    assert ended.value.code == 1
    assert "This did not happen." in capsys.readouterr().out


def test_the_shop_is_as_large_and_messy_as_it_says():
    """The shop has 3 levels, 40 categories, a few thousand products, duplicates and gaps."""
    story = made_up_shop()
    paths = {tuple(node["name"] for node in row["category"]) for row in story.catalogue}
    assert {len(path) for path in paths} == {3}
    assert len(paths) == 40
    assert 3000 < len(story.catalogue) < 3500
    gaps = sum(row["name"] is None or row["description"] is None for row in story.catalogue)
    assert gaps > 300
    assert isinstance(story, Story)


def test_the_family_is_new_to_the_shop():
    """The catalogue has no product of the family, and the family's products all differ."""
    story = made_up_shop()
    assert not any("moka" in str(row).lower() for row in story.catalogue)
    assert len({str(product(row)) for row in story.newcomers}) == len(story.newcomers)
    assert [*shop.family(5, seed=1)] == [*shop.family(5, seed=1)]
    assert {row["category"][-1]["id"] for row in story.newcomers} <= {
        row["category"][-1]["id"] for row in story.catalogue
    }
