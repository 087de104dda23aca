"""Gate and publication: what passes, what it is compared with, and what a refusal leaves.

The bundles are real, with four categories and four words, made without training.
"""

import dataclasses

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from aisle.catalogue.products import LabelledProduct
from aisle.errors import PreconditionFailedError, PublicationRefusedError
from aisle.model import bundle
from aisle.model.classifier import Classifier
from aisle.product import Product, path_from_names
from aisle.registry import audit, bundles
from aisle.registry.audit import Occasion
from aisle.registry.pointer import Pointer, read_pointer, write_pointer
from aisle.store import FolderStore, layout
from aisle.taxonomy import Entry, Taxonomy
from aisle_training import parameters
from aisle_training.data.prepare import Example, Prepared
from aisle_training.fit.fit import Choice, TrainedModel
from aisle_training.fit.vocabulary import Vocabulary, feature_spec
from aisle_training.release.contender import Contender
from aisle_training.release.evaluate import evaluate
from aisle_training.release.export import export
from aisle_training.release.gate import GateInput, judge
from aisle_training.release.publish import publish

WORDS = ["kettle", "lamp", "sock", "spade"]
PATHS = [path_from_names([word.title() + "s"]) for word in WORDS]
PERFECT, GOOD, POOR, USELESS = (0, 1, 2, 3), (0, 1, 2, 2), (0, 1, 1, 1), (0, 0, 0, 0)
GATE = parameters.load().gate
LENIENT = dataclasses.replace(
    GATE, accuracy_limit=0.34, accuracy_tolerance=0.34, macro_f1_limit=0.34, log_loss_limit=3
)
OCCASION = Occasion("somebody", "a test")


def labelled(word, at):
    """Label a product that consists of a word."""
    return LabelledProduct(Product(f"{word} {at}"), PATHS[at], (PATHS[at][-1].id,))


TEST = [labelled(word, at) for at, word in enumerate(WORDS)]
EVIDENCE = GateInput([Example(row.product, row.path, row.product.name) for row in TEST])


def make(answers, test="one test"):
    """Make a bundle that predicts a given category for each word."""
    weights = np.zeros((len(WORDS), len(PATHS)), np.int8)
    weights[np.arange(len(WORDS)), answers] = 100
    trained = TrainedModel(
        spec=feature_spec(parameters.load().features),
        vocabulary=Vocabulary(
            [f"w:{word}" for word in WORDS],
            np.ones(len(WORDS), np.int64),
            4,
            ["a"],
            np.zeros((1, 2), np.int8),
        ),
        taxonomy=Taxonomy(PATHS, [Entry(path, 1, at) for at, path in enumerate(PATHS)]),
        weights=csr_matrix(weights),
        scale=np.full(len(WORDS), 0.05, np.float32),
        slots=np.arange(len(PATHS))[:, None],
        slot_weights=np.ones((len(PATHS), 1), np.float32),
        vector_weights=np.zeros((2, len(PATHS)), np.float32),
        intercepts=np.zeros(len(PATHS), np.float32),
        reranker=None,
        choice=Choice(1.0, 1, (1.0,), (0.9,), None, None, ()),
    )
    prepared = Prepared("p", "s", "s" * 64, test, (), (), ())
    return export(trained, prepared, parameters.load().export).bundle


def put_through(store, whole, evidence=EVIDENCE, gate=GATE):
    """Judge a bundle, and publish it if it passes."""
    judgement = judge(store, Contender(whole), evidence, gate)
    return publish(store, whole, judgement, {"report.json": b"{}"}, OCCASION)


@pytest.fixture
def store(tmp_path):
    """Give an empty store."""
    return FolderStore(tmp_path / "store")


@pytest.fixture
def publish_answers(store):
    """Give the function that judges and publishes a bundle with the given answers."""

    def run(answers, test="one test", gate=GATE, into=store):
        return put_through(into, make(answers, test), gate=gate)

    return run


def content(store):
    """Read all objects of a store."""
    return {key: store.get(key).data for key in store.list("")}


def serving(store):
    """Return the accuracy of the model that serves."""
    return evaluate(Classifier(bundles.current_bundle(store)), TEST)["leaf"]["accuracy"]


@pytest.mark.parametrize(
    ("answers", "accuracy"), [(PERFECT, 1), (GOOD, 0.75), (POOR, 0.5), (USELESS, 0.25)]
)
def test_bundles_of_this_file_are_as_good_as_they_say(answers, accuracy):
    """The bundles of this file have the accuracies that its tests rely on."""
    assert evaluate(Classifier(make(answers)), TEST)["leaf"]["accuracy"] == accuracy


def test_first_publication(publish_answers, store):
    """In an empty store, a good enough model is published and serves; there is no champion."""
    verdict = publish_answers(POOR)
    assert verdict.champion is None
    assert serving(store) == 0.5
    pointer, _ = read_pointer(store)
    assert (pointer.version, pointer.test_sha256) == (verdict.version, "one test")


def test_no_better_than_the_commonest_category(publish_answers, store):
    """A model that is no better than a constant answer is refused; no pointer is written."""
    with pytest.raises(PublicationRefusedError, match=r"0\.2500 on the frozen test is no better"):
        publish_answers(USELESS)
    assert read_pointer(store) is None


def test_refused_model_is_kept_with_its_report(publish_answers, store):
    """A refused model stays in the store, with its report and the record of the refusal."""
    champion = publish_answers(PERFECT).version
    with pytest.raises(PublicationRefusedError):
        publish_answers(GOOD)
    version = make(GOOD).manifest.model_version
    assert bundles.fetch_bundle(store, version).manifest.model_version == version
    assert store.exists(layout.report_file(version, "report.json"))
    events = [(entry.event, entry.version, entry.previous) for entry in audit.history(store)]
    assert events == [("promoted", champion, None), ("refused", version, champion)]


def test_no_test_product(store):
    """A model without test products is refused."""
    with pytest.raises(PublicationRefusedError, match="frozen test has no products"):
        put_through(store, make(PERFECT), GateInput([]))
    assert read_pointer(store) is None


def test_judgement_of_another_model(store):
    """A judgement of one model does not publish another."""
    judgement = judge(store, Contender(make(PERFECT)), EVIDENCE, GATE)
    with pytest.raises(PublicationRefusedError, match="the gate judged"):
        publish(store, make(POOR), judgement, {}, OCCASION)
    assert content(store) == {}


def test_worse_than_the_champion(publish_answers, store):
    """A model worse than the champion on the same test is refused; the pointer stays."""
    champion = publish_answers(PERFECT).version
    before = store.get(layout.current_model())
    with pytest.raises(PublicationRefusedError, match=f"worse than champion {champion}'s 1.0000"):
        publish_answers(GOOD)
    assert store.get(layout.current_model()) == before


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "log_loss"])
def test_each_figure_is_compared(publish_answers, store, metric):
    """A single figure worse than the champion's is enough for a refusal."""
    publish_answers(PERFECT)
    lenient = dataclasses.asdict(LENIENT) | {
        f"{metric}_limit": dataclasses.asdict(GATE)[f"{metric}_limit"]
    }
    with pytest.raises(PublicationRefusedError, match=f"its {metric} ") as refused:
        publish_answers(GOOD, gate=parameters.GateParameters(**lenient))
    assert str(refused.value).count("than champion") == 1


def test_better_than_the_champion(publish_answers, store):
    """A better model replaces the champion, which stays in the store for a rollback."""
    first = publish_answers(GOOD).version
    verdict = publish_answers(PERFECT)
    assert verdict.champion == first
    assert serving(store) == 1
    assert bundles.fetch_bundle(store, first).manifest.model_version == first


def test_worse_within_the_tolerance(publish_answers, store):
    """A model that is worse within the tolerance may replace the champion."""
    publish_answers(PERFECT)
    publish_answers(GOOD, gate=LENIENT)
    assert serving(store) == 0.75


def test_champion_of_another_test_is_not_compared(publish_answers, store):
    """A champion measured on another test is not compared."""
    publish_answers(PERFECT)
    verdict = publish_answers(POOR, test="another test")
    assert verdict.champion is None
    assert serving(store) == 0.5


def test_packaged_model_is_no_champion(publish_answers, store, tmp_path, monkeypatch):
    """The packaged model is never the champion, even if it is perfect on the same test."""
    bundle.write(tmp_path / "packaged", make(PERFECT))
    monkeypatch.setattr(bundle, "PACKAGED", tmp_path / "packaged")
    assert serving(store) == 1
    assert publish_answers(POOR).champion is None
    assert serving(store) == 0.5


def test_same_model_again_changes_nothing(publish_answers, store):
    """Publishing the current model again succeeds and writes nothing."""
    first = publish_answers(GOOD)
    pointer, etag = read_pointer(store)
    long_ago = dataclasses.replace(pointer, published_at="2026-01-01T00:00:00+00:00")
    write_pointer(store, long_ago, replacing=etag)
    before = content(store)
    assert publish_answers(GOOD).version == first.version
    assert content(store) == before


OTHER = Pointer("other", "another test", "2026-01-01T00:00:00+00:00")


class RacedStore(FolderStore):
    """A store in which another model is published just after the pointer is first read."""

    raced = False

    def get(self, key):
        """Read an object; after the pointer, publish another model."""
        if self.raced or key != layout.current_model():
            return super().get(key)
        self.raced = True
        try:
            return super().get(key)
        finally:
            pointed = read_pointer(self)
            write_pointer(self, OTHER, replacing=pointed and pointed[1])


@pytest.mark.parametrize("published", [[], [GOOD]], ids=["empty store", "with a champion"])
def test_racing_publications(publish_answers, store, tmp_path, published):
    """If another model is published after the judgement, it stays, and ours fails."""
    for answers in published:
        publish_answers(answers)
    with pytest.raises(PreconditionFailedError):
        publish_answers(PERFECT, into=RacedStore(tmp_path / "store"))
    pointer, _ = read_pointer(store)
    assert pointer == OTHER


def test_missing_file_is_restored(publish_answers, store):
    """Publishing again restores a missing file."""
    version = publish_answers(GOOD).version
    store.delete(layout.bundle_file(version, "linear.safetensors"))
    publish_answers(GOOD)
    assert serving(store) == 0.75


def test_unreadable_champion_is_not_compared(publish_answers, store, capsys):
    """An unreadable champion is not compared, and a message says so."""
    champion = publish_answers(PERFECT).version
    store.put(layout.bundle_file(champion, "linear.safetensors"), b"damaged")
    assert publish_answers(GOOD).champion is None
    assert "There is no champion" in capsys.readouterr().err
    assert serving(store) == 0.75


def test_malformed_pointer_is_replaced(publish_answers, store, capsys):
    """A malformed pointer is replaced, and a message says so."""
    store.put(layout.current_model(), b"{")
    publish_answers(GOOD)
    assert "There is no champion" in capsys.readouterr().err
    assert serving(store) == 0.75
