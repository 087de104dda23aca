"""What the feedback API stores, and what it answers."""

import json
import logging
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from aisle.access import api_keys
from aisle.errors import BundleError, ConfigurationError, StoreError
from aisle.feedback.count import Counter as FeedbackCounter
from aisle.feedback.due import Policy, start_if_due
from aisle.feedback.event import record_feedback
from aisle.serving.feedback.app import create_app
from aisle.serving.feedback.schemas import FeedbackRequest
from aisle.serving.http.access import KeyAccess
from aisle.serving.whole import whole_api
from aisle.store import FolderStore, open_store

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PRODUCT = {"name": "GoPro - Camera Mount Kit", "price": 12}
ID = "e24dca6a3c5b9d85e75e772a"
CORRECTION = {"product": PRODUCT, "category": {"id": "abcat0410022"}}


@pytest.fixture
def store(tmp_path):
    """Give an empty store."""
    return FolderStore(tmp_path / "store")


@pytest.fixture
def feedback_client(store, checked_client):
    """Make a client of the feedback API on it."""
    return checked_client(create_app(lambda: store))


def kept(store):
    """Read all stored events."""
    return [json.loads(store.get(key).data) for key in store.list("feedback/")]


@pytest.mark.parametrize(
    ("sent", "event"),
    [
        ({"category": {"id": "x"}}, {"right": False, "category": {"id": "x"}}),
        (
            {"category": {"path": ["Cameras", "Drones"]}, "prediction_id": ID, "note": "é"},
            {
                "right": False,
                "category": {"path": ["Cameras", "Drones"]},
                "prediction_id": ID,
                "note": "é",
            },
        ),
        (
            {"category": {"id": "x", "path": ["X"]}, "right": False},
            {"right": False, "category": {"id": "x", "path": ["X"]}},
        ),
        ({"right": True, "prediction_id": ID}, {"right": True, "prediction_id": ID}),
        ({"right": True, "category": {"id": "x"}}, {"right": True, "category": {"id": "x"}}),
    ],
)
def test_feedback_is_kept_whole(feedback_client, store, sent, event):
    """Feedback is stored as sent, with its client and time."""
    before = datetime.now(UTC)
    answer = feedback_client.post("/v1/feedback", json={"product": PRODUCT} | sent)
    assert (answer.status_code, answer.json()["status"]) == (201, "recorded")
    (stored,) = kept(store)
    received = datetime.fromisoformat(stored.pop("received"))
    assert before - timedelta(seconds=1) < received < datetime.now(UTC) + timedelta(seconds=1)
    assert stored == event | {
        "version": 2,
        "client": "anonymous",
        "held_for_review": False,
        "product": PRODUCT,
    }


@pytest.mark.parametrize(
    "again",
    [
        CORRECTION,
        {"category": {"id": "abcat0410022"}, "product": {"price": 12.0, **PRODUCT}},
        CORRECTION | {"right": False, "note": None, "prediction_id": None},
        {"product": PRODUCT | {"description": None}, "category": {"id": "abcat0410022"}},
    ],
)
def test_the_same_twice_is_kept_once(feedback_client, store, again):
    """The same feedback, however its JSON is written, is one object: 201, then 200."""
    first = feedback_client.post("/v1/feedback", json=CORRECTION)
    (event,) = kept(store)
    second = feedback_client.post("/v1/feedback", json=again)
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json() == {"feedback_id": first.json()["feedback_id"], "status": "known"}
    assert kept(store) == [event]


@pytest.mark.parametrize("first", [{}, {"predicted": {"id": "x"}}])
@pytest.mark.parametrize("then", [{}, {"predicted": {"id": "y", "path": ["Y"]}}])
def test_what_was_predicted_makes_no_other_event(feedback_client, store, first, then):
    """A retry with another predicted category, or none, is known; the first event stays."""
    answers = [
        feedback_client.post("/v1/feedback", json=CORRECTION | more) for more in (first, then)
    ]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert answers[0].json()["feedback_id"] == answers[1].json()["feedback_id"]
    assert [event.get("predicted") for event in kept(store)] == [first.get("predicted")]


@pytest.mark.parametrize(
    "predicted",
    [{"id": "x"}, {"path": ["A", "B"]}, {"id": "x" * 5000, "path": ["y" * 900] * 30}],
)
def test_what_was_predicted_is_kept_as_it_is_said(feedback_client, store, predicted):
    """The predicted category is stored whole, however long the shop's own names are."""
    said = CORRECTION | {"predicted": predicted}
    assert feedback_client.post("/v1/feedback", json=said).status_code == 201
    assert [event["predicted"] for event in kept(store)] == [predicted]


@pytest.mark.parametrize(
    "other",
    [
        CORRECTION | {"category": {"id": "other"}},
        CORRECTION | {"category": {"path": ["abcat0410022"]}},
        CORRECTION | {"right": True},
        CORRECTION | {"note": "sure"},
        CORRECTION | {"prediction_id": ID},
        {"product": {"name": "gopro - camera mount kit", "price": 12}, "category": {"id": "x"}},
    ],
)
def test_what_differs_is_kept_too(feedback_client, store, other):
    """Feedback that differs in any field is another object."""
    assert feedback_client.post("/v1/feedback", json=CORRECTION).status_code == 201
    assert feedback_client.post("/v1/feedback", json=other).status_code == 201
    assert len(kept(store)) == 2


def test_object_is_named_by_its_day_and_content(store):
    """The key has the day (UTC) and the id; the next day, or another client, is another object."""
    request = FeedbackRequest.model_validate(CORRECTION)
    midnight = datetime(2026, 11, 22, 23, 59, tzinfo=UTC)
    first = record_feedback(store, request.event(client="a", now=midnight))
    next_day = request.event(client="a", now=midnight + timedelta(hours=1))
    later = record_feedback(store, next_day)
    other = record_feedback(store, request.event(client="b", now=midnight))
    assert first.new
    assert later == first
    assert other.feedback_id != first.feedback_id
    assert [*store.list("")] == sorted(
        [
            f"feedback/dt=2026-11-22/{first.feedback_id}.json",
            f"feedback/dt=2026-11-22/{other.feedback_id}.json",
            f"feedback/dt=2026-11-23/{first.feedback_id}.json",
        ]
    )


@pytest.mark.parametrize(("client", "held"), [("site", True), ("shop", False), ("site.", False)])
def test_what_visitors_of_the_page_say_is_held(store, client, held):
    """Feedback of the page's own client waits for a review; a shop's does not."""
    request = FeedbackRequest.model_validate(CORRECTION)
    record_feedback(store, request.event(client=client, now=NOW))
    assert [event["held_for_review"] for event in kept(store)] == [held]


def test_client_is_the_key_holder(store, checked_client):
    """The event's client is the key's, whatever the body claims."""
    key, record = api_keys.new_key("shop", ["feedback"], now=NOW, lifetime=timedelta(days=1))
    access = KeyAccess(lambda: (record,), now=lambda: NOW)
    client = checked_client(create_app(lambda: store, access=access))
    headers = {"X-Api-Key": key}
    assert client.post("/v1/feedback", json=CORRECTION, headers=headers).status_code == 201
    claimed = client.post("/v1/feedback", json=CORRECTION | {"client": "other"}, headers=headers)
    assert claimed.status_code == 422
    assert [event["client"] for event in kept(store)] == ["shop"]


def test_many_at_once_are_each_kept_once(feedback_client, store):
    """Of the same feedback sent many times at once, exactly one event is recorded."""
    feedback_list = [CORRECTION | {"note": str(at % 5)} for at in range(40)]
    with ThreadPoolExecutor(8) as pool:
        answers = [
            *pool.map(lambda item: feedback_client.post("/v1/feedback", json=item), feedback_list)
        ]
    assert sorted(answer.status_code for answer in answers) == [200] * 35 + [201] * 5
    assert len(kept(store)) == 5


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "product"),
        ({"category": {"id": "x"}}, "product"),
        ({"product": PRODUCT}, "body"),
        ({"product": PRODUCT, "right": False}, "body"),
        ({"product": PRODUCT, "right": False, "prediction_id": ID}, "body"),
        ({"product": PRODUCT, "right": True}, "body"),
        ({"product": PRODUCT, "right": "true", "prediction_id": ID}, "right"),
        ({"product": PRODUCT, "right": True, "prediction_id": "x"}, "prediction_id"),
        (CORRECTION | {"category": {}}, "category"),
        (CORRECTION | {"category": "x"}, "category"),
        (CORRECTION | {"category": {"id": ""}}, "category.id"),
        (CORRECTION | {"category": {"id": " \t"}}, "category.id"),
        (CORRECTION | {"category": {"id": 5}}, "category.id"),
        (CORRECTION | {"category": {"path": []}}, "category.path"),
        (CORRECTION | {"category": {"path": ["a", ""]}}, "category.path[1]"),
        (CORRECTION | {"category": {"path": ["x" * 201]}}, "category.path[0]"),
        (CORRECTION | {"category": {"path": ["x"] * 21}}, "category.path"),
        (CORRECTION | {"category": {"id": "\ud800"}}, "category.id"),
        (CORRECTION | {"predicted": {}}, "predicted"),
        (CORRECTION | {"predicted": "x"}, "predicted"),
        (CORRECTION | {"predicted": {"path": []}}, "predicted.path"),
        (CORRECTION | {"predicted": {"id": "x", "title": "X"}}, "predicted.title"),
        (CORRECTION | {"predicted": {"path": [{"id": "x"}]}}, "predicted.path[0]"),
        (CORRECTION | {"note": "x" * 1001}, "note"),
        (CORRECTION | {"client": "other"}, "client"),
        (CORRECTION | {"product": {}}, "product.name"),
        (CORRECTION | {"product": {"name": "!?"}}, "product.name"),
        (CORRECTION | {"product": {"name": 5}}, "product.name"),
        (CORRECTION | {"product": {"name": "tv", "price": -1}}, "product.price"),
        (CORRECTION | {"product": {"name": "tv", "top_k": 1}}, "product.top_k"),
    ],
)
def test_what_cannot_be_used_is_refused(feedback_client, store, body, field):
    """Feedback without content, or with a wrong field, is a 422 that names the field."""
    answer = feedback_client.post(
        "/v1/feedback",
        content=json.dumps(body),
        headers={"Content-Type": "application/json"},
    )
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (422, "/problems/invalid-input")
    assert field in {error["field"] for error in problem["errors"]}
    assert kept(store) == []


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{", {"Content-Type": "application/json"}, 400),
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b'{"note": "' + b"x" * 6_000_000 + b'"}', {"Content-Type": "application/json"}, 413),
        (b"[" * 100_000, {"Content-Type": "application/json"}, 400),
    ],
)
def test_bodies_have_the_limits_of_predict(feedback_client, content, headers, status):
    """A body that is no JSON, too large or too deep is refused as on every route."""
    answer = feedback_client.post("/v1/feedback", content=content, headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("error", [StoreError("no bucket"), ConfigurationError("no store")])
def test_store_that_cannot_be_had(checked_client, caplog, error):
    """Where feedback cannot be stored, the client is told to retry, and the log has the cause."""

    def store():
        raise error

    with caplog.at_level(logging.ERROR):
        answer = checked_client(create_app(store)).post("/v1/feedback", json=CORRECTION)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
    assert str(error) in caplog.text
    assert "GoPro" not in caplog.text


@pytest.mark.parametrize(
    ("path", "schema", "status"),
    [
        ("/v1/feedback", "FeedbackRequest", 201),
        ("/v1/feedback/batch", "FeedbackBatchRequest", 200),
    ],
)
def test_examples_are_accepted(feedback_client, path, schema, status):
    """The examples in the OpenAPI document are accepted."""
    schemas = feedback_client.get("/v1/openapi.json").json()["components"]["schemas"]
    for example in schemas[schema]["examples"]:
        assert feedback_client.post(path, json=example).status_code == status


def post_batch(client, *feedback):
    """Send feedback in one request; return the result of each."""
    answer = client.post("/v1/feedback/batch", json={"feedback": feedback})
    assert answer.status_code == 200
    return answer.json()["results"]


def test_batch_keeps_each(feedback_client, store):
    """Each item of a batch is stored as if sent alone, and answered in its place."""
    other = CORRECTION | {"category": {"id": "other"}}
    alone = feedback_client.post("/v1/feedback", json=CORRECTION).json()["feedback_id"]
    results = post_batch(feedback_client, other, CORRECTION)
    assert [result["status"] for result in results] == ["recorded", "known"]
    assert results[1]["id"] == alone
    assert len(kept(store)) == 2
    assert [result["status"] for result in post_batch(feedback_client, other, CORRECTION)] == [
        "known",
        "known",
    ]


def test_the_same_twice_in_a_batch_is_kept_once(feedback_client, store):
    """Where a batch has the same item many times, one event is recorded."""
    results = post_batch(feedback_client, *[CORRECTION] * 20)
    assert sorted(result["status"] for result in results) == ["known"] * 19 + ["recorded"]
    assert len(kept(store)) == 1


@pytest.mark.parametrize(
    ("item", "field"),
    [
        ({}, "product"),
        (5, "feedback"),
        (None, "feedback"),
        ({"product": PRODUCT}, "feedback"),
        (CORRECTION | {"product": {"name": "!?"}}, "product.name"),
        (CORRECTION | {"note": 5}, "note"),
    ],
)
def test_bad_feedback_of_a_batch_fails_alone(feedback_client, store, item, field):
    """A bad item fails with the problem that it would get alone; the rest is stored."""
    results = post_batch(feedback_client, item, CORRECTION)
    assert [result["status"] for result in results] == ["failed", "recorded"]
    problem = results[0]["problem"]
    assert (problem["type"], problem["status"]) == ("/problems/invalid-input", 422)
    assert field in {error["field"] for error in problem["errors"]}
    assert len(kept(store)) == 1


@pytest.mark.parametrize("feedback", [[], [CORRECTION] * 101, CORRECTION, None])
def test_batch_of_a_wrong_size_is_refused(feedback_client, store, feedback):
    """A batch has from one to a hundred items."""
    answer = feedback_client.post("/v1/feedback/batch", json={"feedback": feedback})
    assert answer.status_code == 422
    assert kept(store) == []


def test_batch_that_cannot_be_kept(feedback_client, store, monkeypatch, caplog):
    """An item that the store refuses is answered as unavailable, and the log has the cause."""
    put = store.put

    def refuse(key, data, **condition):
        if b"other" in data:
            raise StoreError("the disk is full")
        return put(key, data, **condition)

    monkeypatch.setattr(store, "put", refuse)
    results = post_batch(feedback_client, CORRECTION | {"category": {"id": "other"}}, CORRECTION)
    assert [result["status"] for result in results] == ["failed", "recorded"]
    assert results[0]["problem"]["type"] == "/problems/unavailable"
    assert "the disk is full" in caplog.text
    assert "the disk is full" not in json.dumps(results)


def test_a_thousand_at_once_of_which_some_are_retried(feedback_client, store):
    """A thousand posts at once, a tenth of them retries, give exactly 900 objects."""
    distinct = [CORRECTION | {"note": str(at)} for at in range(900)]
    sent = distinct + distinct[::9]
    random.Random(7).shuffle(sent)
    assert len(sent) == 1000
    with ThreadPoolExecutor(50) as pool:
        answers = [*pool.map(lambda item: feedback_client.post("/v1/feedback", json=item), sent)]
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses == {201: 900, 200: 100}
    assert {event["note"] for event in kept(store)} == {str(at) for at in range(900)}
    assert len(kept(store)) == 900


class PutOnly:
    """An S3 client whose role may only put objects."""

    def __init__(self, client):
        self.put_object = client.put_object


def test_putting_is_all_it_needs(s3_url, checked_client):
    """On S3, one kind of request is enough. Moto stands in for S3 and checks no permissions."""
    import boto3

    from aisle.store.s3 import S3Store

    whole = open_store(s3_url)
    store = S3Store("shelf", "team/shop", client=PutOnly(boto3.client("s3")))
    client = checked_client(create_app(lambda: store))
    statuses = [client.post("/v1/feedback", json=CORRECTION).status_code for _ in range(2)]
    assert statuses == [201, 200]
    assert len(kept(whole)) == 1


# Where the model is at hand.

HEADPHONES, SPEAKERS = ["Audio", "Headphones"], ["Audio", "Speakers"]


@pytest.fixture
def whole_client(store, classifier, checked_client):
    """Make a client of the whole API, with the keyword model."""
    return checked_client(whole_api(lambda: classifier, lambda: store))


def about(name, path, **more):
    """Build a correction of a product."""
    return {"product": {"name": name}, "category": {"path": path}, **more}


def test_the_model_is_asked_what_the_client_does_not_say(whole_client, store):
    """With the model at hand, an event has its predicted category, by id and by path."""
    said = about("earbuds", SPEAKERS)
    assert whole_client.post("/v1/feedback", json=said).status_code == 201
    expected = {"id": "Audio > Headphones", "path": HEADPHONES}
    assert [event["predicted"] for event in kept(store)] == [expected]


def test_what_the_client_says_was_predicted_goes_first(whole_client, classifier, store):
    """A predicted category that the client sends is kept: another model may serve by now."""
    said = about("earbuds", SPEAKERS, predicted={"path": ["Cameras"]})
    whole_client.post("/v1/feedback", json=said)
    assert [event["predicted"] for event in kept(store)] == [{"path": ["Cameras"]}]
    assert classifier.calls == []


def test_what_cannot_be_compared_is_asked_for(whole_client, store):
    """A predicted id and a corrected path of one category agree: the model knows both."""
    for at in range(3):
        said = about(f"earbuds {at}", HEADPHONES, predicted={"id": "Audio > Headphones"})
        assert whole_client.post("/v1/feedback", json=said).status_code == 201
    expected = {"id": "Audio > Headphones", "path": HEADPHONES}
    assert [event["predicted"] for event in kept(store)] == [expected] * 3
    assert FeedbackCounter(store)().new == 0


def test_a_prediction_is_said_as_it_was_answered(whole_client, store):
    """The category of a prediction is accepted as it is: its nodes become names."""
    product = {"name": "earbuds"}
    answered = whole_client.post("/v1/predict", json=product).json()
    said = about("earbuds", SPEAKERS, predicted=answered["category"])
    assert whole_client.post("/v1/feedback", json=said).status_code == 201
    expected = {"id": "Audio > Headphones", "path": HEADPHONES}
    assert [event["predicted"] for event in kept(store)] == [expected]


def test_a_confirmation_asks_no_model(whole_client, classifier, store):
    """A confirmation by prediction id needs no predicted category."""
    said = {"product": {"name": "earbuds"}, "right": True, "prediction_id": ID}
    assert whole_client.post("/v1/feedback", json=said).status_code == 201
    assert "predicted" not in kept(store)[0]
    assert classifier.calls == []


def test_a_batch_asks_the_model_once(whole_client, classifier, store):
    """Each valid item of a batch gets its own predicted category, in one call of the model."""
    results = post_batch(
        whole_client,
        about("earbuds 1", SPEAKERS),
        5,
        about("earbuds 2", SPEAKERS, predicted={"id": "said", "path": ["Said"]}),
        {"product": {"name": "earbuds 3"}, "right": True, "prediction_id": ID},
        about("!?", SPEAKERS),
        about("bluetooth speaker", SPEAKERS),
    )
    assert [result["status"] for result in results] == [
        "recorded",
        "failed",
        "recorded",
        "recorded",
        "failed",
        "recorded",
    ]
    predicted = {event["product"]["name"]: event.get("predicted", {}) for event in kept(store)}
    assert {name: each.get("id") for name, each in predicted.items()} == {
        "earbuds 1": "Audio > Headphones",
        "earbuds 2": "said",
        "earbuds 3": None,
        "bluetooth speaker": "Audio > Speakers",
    }
    assert classifier.calls == [2]


@pytest.mark.parametrize("path", ["/v1/feedback", "/v1/feedback/batch"])
def test_feedback_is_kept_where_there_is_no_model(store, checked_client, caplog, path):
    """Where the model fails, the predicted category stays unknown, and the log says why."""

    def broken():
        raise BundleError("no model here")

    client = checked_client(whole_api(broken, lambda: store))
    said = about("earbuds", SPEAKERS)
    body = said if path == "/v1/feedback" else {"feedback": [said]}
    assert client.post(path, json=body).is_success
    assert [event.get("predicted") for event in kept(store)] == [None]
    assert "no model here" in caplog.text


@pytest.mark.parametrize(
    ("path", "started", "right"), [(HEADPHONES, False, 50), (SPEAKERS, True, 0)]
)
def test_only_a_disagreement_starts_a_training(whole_client, store, path, started, right):
    """Fifty events that name the predicted category start no training; fifty others do."""
    post_batch(whole_client, *[about(f"earbuds {at}", path) for at in range(50)])
    launched = []
    outcome = start_if_due(
        FeedbackCounter(store),
        Policy(),
        lambda run, why: launched.append((run, why)),
        holder="a test",
    )
    assert (outcome.started, len(launched)) == (started, int(started))
    stats = whole_client.get("/v1/feedback/stats").json()
    assert stats["last"]["started"] is started
    assert (stats["events"], stats["right"], stats["corrections"]) == (50, right, 50 - right)
    assert (stats["new"], stats["due"]) == (50 - right, started)
    assert ("agree with the model" in stats["why"]) is not started
