"""The predict API with the packaged model."""

import pytest

from aisle.model import bundle
from aisle.model.classifier import Classifier
from aisle.serving.predict.app import create_app

GOPRO = {
    "name": "GoPro - Camera Mount Accessory Kit - Black",
    "description": (
        "Compatible with most GoPro cameras; includes a variety of camera mounting accessories"
    ),
}


@pytest.fixture(scope="module")
def packaged():
    """Load the packaged model."""
    return Classifier(bundle.read(bundle.PACKAGED))


@pytest.fixture
def packaged_client(packaged, checked_client):
    """Make a client of the predict API with it."""
    return checked_client(create_app(lambda: packaged))


def test_gopro_kit_is_under_cameras(packaged_client):
    """The README's example is under Cameras & Camcorders, and its words are the evidence."""
    prediction = packaged_client.post("/v1/predict", json=GOPRO).json()
    assert prediction["category"]["path"][0]["name"] == "Cameras & Camcorders"
    assert {"GoPro", "Camera"} & {item["text"] for item in prediction["evidence"]}
    for item in prediction["evidence"]:
        assert GOPRO[item["field"]][item["start"] : item["end"]] == item["text"]


@pytest.mark.parametrize(("asked", "given"), [(None, 5), (1, 1), (20, 20)])
def test_as_many_alternatives_as_asked_for(packaged_client, asked, given):
    """There are top_k alternatives, and the predicted category is not among them."""
    prediction = packaged_client.post("/v1/predict", json=GOPRO | {"top_k": asked}).json()
    ids = [item["id"] for item in prediction["alternatives"]]
    assert len(set(ids)) == len(ids) == given
    assert prediction["category"]["id"] not in ids


def test_levels_lead_to_the_category(packaged_client):
    """The levels are the category's path, and their confidence never grows on the way down."""
    prediction = packaged_client.post("/v1/predict", json=GOPRO).json()
    confidences = [item["confidence"] for item in prediction["levels"]]
    assert [item["id"] for item in prediction["levels"]] == [
        node["id"] for node in prediction["category"]["path"]
    ]
    assert confidences == sorted(confidences, reverse=True)


def test_batch_agrees_with_single_on_the_real_model(packaged_client):
    """A batch of a hundred gives each product the category that it gets alone."""
    products = [{"name": f"{name} {at}"} for at in range(20) for name in ("tv", "usb cable", "ⅷ")]
    products += [GOPRO] * 40
    results = packaged_client.post("/v1/predict/batch", json={"products": products}).json()
    together = [item["prediction"]["category"]["id"] for item in results["results"]]
    alone = [
        packaged_client.post("/v1/predict", json=product).json()["category"]["id"]
        for product in (products[0], products[1], products[2], GOPRO)
    ]
    assert [together[0], together[1], together[2], together[-1]] == alone


@pytest.mark.parametrize(
    "name",
    [
        "camera\x00mount\x1f\x7f",
        "كاميرا رقمية",
        "\u202etv\u202c",
        "📷 👨\u200d👩\u200d👧 7",
        "&#174;&lt;b&gt; tv <b>&amp;",
        "日本語のカメラ",
        "é" * 500,
        "ﷺ" * 500,
        "x",
    ],
)
def test_odd_text_is_classified_by_the_real_model(packaged_client, name):
    """Any text gets a prediction whose evidence lies in that text."""
    answer = packaged_client.post("/v1/predict", json={"name": name, "price": 1e308})
    assert answer.status_code == 200
    for item in answer.json()["evidence"]:
        assert name[item["start"] : item["end"]] == item["text"]


def test_categories_of_the_real_model(packaged, packaged_client):
    """Every category is listed once, and exactly the classes are marked as predicted."""
    items, offset = [], 0
    while offset is not None:
        page = packaged_client.get("/v1/categories", params={"limit": 100, "offset": offset}).json()
        items += page["items"]
        offset = page["next_offset"]
    listed = {tuple(node["id"] for node in item["path"]): item["predicted"] for item in items}
    classes = {tuple(node.id for node in path) for path in packaged.taxonomy.classes}
    assert len(listed) == len(items) == len(packaged.taxonomy.entries)
    assert {path for path, predicted in listed.items() if predicted} == classes & set(listed)


def test_camera_categories_are_found(packaged_client):
    """A search by words finds categories whose path has them."""
    items = packaged_client.get("/v1/categories", params={"q": "cameras"}).json()["items"]
    assert items
    assert "Cameras & Camcorders" in {node["name"] for item in items for node in item["path"]}


def test_real_model_is_described(packaged, packaged_client):
    """The model's version and size are those of the bundle."""
    model = packaged_client.get("/v1/model").json()
    assert model["version"] == packaged.model_version
    assert model["labels"] == len(packaged.taxonomy.classes)
    assert len(model["answer_thresholds"]) >= model["levels"]
