"""A confirmation, read back with the model that made the prediction."""

from aisle.feedback.event import read_events
from aisle.identity import prediction_id
from aisle.model import bundle
from aisle.model.classifier import Classifier
from aisle.product import Product
from aisle.store import FolderStore
from aisle_training.artefacts import Artefacts
from aisle_training.data.annotations import CategoryIndex, read_annotations
from tests.events_of import say


def test_confirmation_means_the_predicted_category(tmp_path):
    """A confirmation without a category means what its model predicts for the product."""
    store = FolderStore(tmp_path)
    packaged = Classifier(bundle.read(bundle.PACKAGED))
    product = Product("HDMI Cable")
    own = prediction_id(product, packaged.model_version)
    say(store, "HDMI Cable", right=True, prediction_id=own)
    events, _ = read_events(store)
    (statement,), unusable = read_annotations(
        store, events, CategoryIndex([]), Artefacts(store).known
    )
    (predicted,) = packaged.predict([product])
    assert statement.path == predicted.category.path
    assert unusable == {}
