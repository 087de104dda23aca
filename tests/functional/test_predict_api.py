"""What the predict API answers when all is well."""

import json

import pytest
from starlette.testclient import TestClient

from aisle.serving.predict.app import create_app

GOPRO = {"name": "GoPro - Camera Mount Kit", "description": "Fits most cameras"}


def test_prediction_is_whole(client):
    """A prediction has the category with its path, its levels root first, and the version."""
    prediction = client.post("/v1/predict", json=GOPRO).json()
    assert prediction["category"]["name"] == "Accessories"
    assert [node["name"] for node in prediction["category"]["path"]] == ["Cameras", "Accessories"]
    assert [level["name"] for level in prediction["levels"]] == ["Cameras", "Accessories"]
    assert prediction["levels"][0]["confidence"] >= prediction["levels"][1]["confidence"]
    assert prediction["answer"]["id"] == prediction["category"]["id"]
    assert prediction["needs_review"] is False
    assert prediction["model_version"] == "fake-1"


def test_unsure_prediction_has_no_answer(client):
    """Where no level is confident enough, the answer is null and the product needs review."""
    prediction = client.post("/v1/predict", json={"name": "thing"}).json()
    assert prediction["answer"] is None
    assert prediction["needs_review"] is True


def test_evidence_is_in_the_text_as_sent(client):
    """Evidence offsets count code points of the field as it was sent."""
    name = "😀 <b>GoPro</b> Caméra &amp; camera"
    evidence = client.post("/v1/predict", json={"name": name}).json()["evidence"]
    assert [part["text"] for part in evidence] == ["GoPro", "camera"]
    assert [name[part["start"] : part["end"]] for part in evidence] == ["GoPro", "camera"]


@pytest.mark.parametrize(
    ("asked", "given"), [({}, 3), ({"top_k": 1}, 1), ({"top_k": 2}, 2), ({"top_k": None}, 3)]
)
def test_top_k_counts_alternatives(client, asked, given):
    """Alternatives are top_k at most, best first, and without the predicted category."""
    prediction = client.post("/v1/predict", json=GOPRO | asked).json()
    scores = [alternative["confidence"] for alternative in prediction["alternatives"]]
    assert len(scores) == given
    assert scores == sorted(scores, reverse=True)
    assert prediction["category"]["id"] not in {
        alternative["id"] for alternative in prediction["alternatives"]
    }


@pytest.mark.parametrize(
    "same",
    [
        {"name": "camera", "price": 10},
        {"name": "camera", "price": 10.0},
        {"price": 10, "name": "camera", "manufacturer": None},
        {"name": "camera", "price": 10, "top_k": 1},
    ],
)
def test_same_product_has_same_id(client, same):
    """The prediction id depends on the product's content, not on how its JSON is written."""
    first = client.post("/v1/predict", json={"name": "camera", "price": 10}).json()
    again = client.post("/v1/predict", json=same).json()
    assert again["prediction_id"] == first["prediction_id"]


@pytest.mark.parametrize(
    "other", [{"name": "Camera", "price": 10}, {"name": "camera"}, {"description": "camera"}]
)
def test_other_product_has_other_id(client, other):
    """Different products have different ids."""
    first = client.post("/v1/predict", json={"name": "camera", "price": 10}).json()
    again = client.post("/v1/predict", json=other).json()
    assert again["prediction_id"] != first["prediction_id"]


def test_provider_is_asked_each_time(classifier, other_classifier):
    """A newer classifier takes the older one's place without another application."""
    serving = [classifier]
    client = TestClient(create_app(lambda: serving[0]))
    before = client.post("/v1/predict", json=GOPRO).json()
    serving[0] = other_classifier
    after = client.post("/v1/predict", json=GOPRO).json()
    assert (before["model_version"], after["model_version"]) == ("fake-1", "fake-2")
    assert before["prediction_id"] != after["prediction_id"]


@pytest.mark.parametrize(
    "text",
    [
        "camera\x00mount\x1f\x7f",
        "كاميرا camera",
        "\u202ecamera\u202c",
        "📷 camera 👨\u200d👩\u200d👧",
        "7",
        "x" * 500,
        "é" * 500,
        "&#174; &notareference; <b",
    ],
    ids=["control", "rtl", "bidi", "emoji", "digit", "longest", "longest-2-bytes", "markup"],
)
def test_odd_text_is_accepted(client, text):
    """Control characters, right-to-left text, emoji and broken markup are text like any other."""
    answer = client.post("/v1/predict", json={"name": text})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "product",
    [
        {"name": "", "description": "camera"},
        {"name": None, "description": "camera", "manufacturer": None, "price": None},
        {"name": "camera", "price": 0},
        {"name": "camera", "price": 1e308},
        {"name": "camera", "description": "x" * 20_000, "manufacturer": "x" * 200},
    ],
    ids=["empty-name", "nulls", "free", "dear", "longest"],
)
def test_borderline_product_is_accepted(client, product):
    """Input just within the limits is classified."""
    assert client.post("/v1/predict", json=product).status_code == 200


def test_utf8_with_mark_and_charset_is_accepted(client):
    """A byte order mark and a charset parameter are accepted."""
    answer = client.post(
        "/v1/predict",
        content=b"\xef\xbb\xbf" + json.dumps({"name": "camera"}).encode(),
        headers={"Content-Type": "Application/JSON; charset=utf-8"},
    )
    assert answer.status_code == 200


def test_batch_keeps_order(client, classifier):
    """A batch answers each product in its place, with one call of the model."""
    names = ["speaker", "camera mount", "earbuds"]
    sent = {"products": [{"name": name} for name in names], "top_k": 1}
    results = client.post("/v1/predict/batch", json=sent).json()["results"]
    predictions = [result["prediction"] for result in results]
    assert [prediction["category"]["name"] for prediction in predictions] == [
        "Speakers",
        "Accessories",
        "Headphones",
    ]
    assert [len(prediction["alternatives"]) for prediction in predictions] == [1, 1, 1]
    assert classifier.calls == [3]


def test_batch_agrees_with_single(client):
    """A product gets the same prediction in a batch as alone."""
    results = client.post("/v1/predict/batch", json={"products": [GOPRO]}).json()["results"]
    assert results == [{"prediction": client.post("/v1/predict", json=GOPRO).json()}]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["Headphones", "Speakers", "Cameras", "Accessories", "Drones"]),
        ("audio", ["Speakers", "Headphones"]),
        ("CAMERAS acc", ["Accessories"]),
        ("nothing like it", []),
    ],
)
def test_categories_are_found_by_words(client, query, names):
    """Categories are found by the words in their paths."""
    page = client.get("/v1/categories", params={"q": query}).json()
    assert sorted(category["name"] for category in page["items"]) == sorted(names)
    assert page["total"] == len(names)
    assert page["next_offset"] is None


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_categories_are_paged(client, limit):
    """Following `next_offset` gives every category once, and no empty page."""
    all_items = client.get("/v1/categories").json()["items"]
    pages, offset = [], 0
    while offset is not None:
        page = client.get("/v1/categories", params={"limit": limit, "offset": offset}).json()
        assert page["total"] == 5
        assert page["items"]
        pages += page["items"]
        offset = page["next_offset"]
    assert pages == all_items


def test_page_beyond_the_end_is_empty(client):
    """An offset beyond the end is no error."""
    page = client.get("/v1/categories", params={"offset": 10**9}).json()
    assert page == {"items": [], "total": 5, "next_offset": None}


def test_category_too_rare_to_be_a_class_says_so(client):
    """A category that the model folds into an ancestor is listed, but not as predicted."""
    items = client.get("/v1/categories").json()["items"]
    assert {category["name"]: category["predicted"] for category in items} == {
        "Headphones": True,
        "Speakers": True,
        "Cameras": True,
        "Accessories": True,
        "Drones": False,
    }


def test_model_is_described(client):
    """The model's description has its version, size, data and metrics."""
    assert client.get("/v1/model").json() == {
        "version": "fake-1",
        "normalizer_version": 1,
        "labels": 4,
        "categories": 5,
        "levels": 2,
        "answer_thresholds": [0.6, 0.6],
        "metrics": {"levels": [{"level": 1, "accuracy": 0.9}]},
        "dataset": {"snapshot": "s1", "rows": 41},
        "libraries": {"numpy": "2"},
    }


def test_health_names_the_model(client):
    """The health check answers with the version that serves."""
    response = client.get("/healthz")
    assert (response.status_code, response.json()) == (
        200,
        {"status": "ok", "model_version": "fake-1"},
    )
