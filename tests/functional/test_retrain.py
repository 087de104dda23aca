"""Learning from feedback: a family of products, poison, and runs that are killed.

The shop is made up and small, and the model is quick to train: nothing to choose, no second stage.
"""

import json
import random
import shutil
import signal
import subprocess
from contextlib import suppress

import pytest

from aisle.errors import DataError, PublicationRefusedError
from aisle.feedback.review import decide
from aisle.model.classifier import Classifier
from aisle.product import Product
from aisle.registry import audit, bundles
from aisle.registry.job import read_status
from aisle.registry.pointer import read_pointer
from aisle.store import FolderStore, layout, open_store
from aisle_training.artefacts import Artefacts
from aisle_training.data.prepare import split_of
from aisle_training.job import STAGES
from aisle_training.parameters import DEFAULT, load
from aisle_training.pipeline import Trainer
from aisle_training.retrain import retrain
from tests.commands import AISLE, environment
from tests.events_of import VERSION_1, put, say, visitor
from tests.made_up import products, write_catalogue
from tests.waiting import LIMIT_SECONDS, wait_until

ROWS = list(products(600))
DRONE = Product("Quadcopter Zeta drone with camera, red")
TENTS = ("Sport", "Camping", "Tents")
DRONES = ("Toys", "Flying", "Drones")


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """Give a file of parameters that make a model quickly."""
    text = DEFAULT.read_text(encoding="utf-8")
    text = text.replace("[1, 2, 3, 5]", "[3]").replace("[0.5, 2.0]", "[0.5]")
    path = tmp_path_factory.mktemp("quick") / "parameters.toml"
    path.write_text(text.replace("folds = 3", "folds = 0"), encoding="utf-8")
    assert load(path).rerank.folds == 0
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory, quick):
    """Train on the made-up shop; give the folder of its store."""
    folder = tmp_path_factory.mktemp("shop")
    data = write_catalogue(folder / "shop.jsonl", ROWS)
    Trainer(FolderStore(folder / "store"), load(quick)).train(data)
    return folder / "store"


@pytest.fixture
def store(trained, tmp_path):
    """Give a copy of that store, for one test."""
    return FolderStore(shutil.copytree(trained, tmp_path / "store"))


@pytest.fixture
def again(store, quick):
    """Give the function that retrains."""
    return lambda **more: retrain(store, load(quick), why="a test", who="somebody", **more)


def champion(store):
    """Return the version that serves."""
    return read_pointer(store)[0].version


def ask(store, product=DRONE):
    """Return the category that the serving model predicts for a product, as a path of names."""
    (prediction,) = Classifier(bundles.current_bundle(store)).predict([product])
    return tuple(node.name for node in prediction.category.path)


def family(store, path, count=40, **more):
    """Correct a family of products; return the ids of the events."""
    chance = random.Random(0)
    return [
        say(
            store,
            {
                "name": f"Quadcopter Aero{at} drone {chance.choice(['with camera', 'pro'])}",
                "description": f"flying quadcopter, {chance.randrange(5, 40)} min, model {at * 7}",
            },
            path,
            at=at,
            **more,
        )
        for at in range(count)
    ]


def processed(store):
    """Return the last run's record of the events."""
    return json.loads(store.get(layout.processed_feedback()).data)


def status(store):
    """Return the status of the last run."""
    return json.loads(store.get(layout.training_status()).data)


def report(store, version):
    """Return a model's report."""
    return json.loads(store.get(layout.report_file(version, "report.json")).data)


# What the model learns.


@pytest.mark.parametrize("path", [TENTS, DRONES], ids=["known category", "new category"])
def test_family_is_learnt(store, again, path):
    """After 40 corrections, another product of the family, never corrected, is answered right."""
    assert ask(store) != path
    before = champion(store)
    events = family(store, path)
    verdict = again()
    assert ask(store) == path
    assert (champion(store), verdict.champion) == (verdict.version, before)
    assert sorted(events) == processed(store)["events"]
    assert processed(store)["states"] == {"accepted": 40}
    assert status(store)["state"] == "published"
    assert {stage["state"] for stage in status(store)["stages"]} == {"done"}
    record = audit.history(store)[-1]
    assert (record.event, record.previous, record.why) == ("promoted", before, "a test")


def test_gate_asks_what_was_held_out(store, again):
    """Corrections in the test split are not trained on; the gate scores both models on them."""
    family(store, DRONES)
    model_report = report(store, again().version)
    heldout = model_report["gate"]["heldout"]
    assert 0 < heldout["products"] < 20
    assert heldout["challenger"]["right"] > heldout["champion"]["right"]
    drift = model_report["drift"]
    assert drift["unknown_words"]["feedback"] > drift["unknown_words"]["snapshot"]
    assert drift["products"] == 40


def test_contradictions_are_reported(store, again):
    """Where clients contradict each other, the report counts it, and the snapshot has the votes."""
    family(store, DRONES)
    say(store, "Quadcopter Omega drone pro", DRONES, client="one", at=100)
    say(store, "Quadcopter Omega drone pro", TENTS, client="two", at=101)
    say(store, "Quadcopter Omega drone pro", DRONES, client="three", at=102)
    model_report = report(store, again().version)
    assert model_report["feedback"]["contradictions"] == 1
    assert model_report["feedback"]["states"] == {"accepted": 42, "outvoted": 1}
    ingested = store.get(layout.base_snapshot(model_report["snapshot"], "feedback.json")).data
    (contradiction,) = json.loads(ingested)["contradictions"]
    assert contradiction["votes"] == {"Toys > Flying > Drones": 2, "Sport > Camping > Tents": 1}


def test_frozen_test_does_not_move(store, again):
    """The test stays the same, row by row, even when there is feedback on its products."""
    before, _ = read_pointer(store)
    settings = load().prepare
    assert split_of("f" * 64, settings) == "test"
    for at, row in enumerate(ROWS[:60]):
        product = {"name": row["name"] or "", "description": row["description"] or ""}
        say(store, product, [node["name"] for node in row["category"]], at=at)
    family(store, DRONES)
    again()
    after, _ = read_pointer(store)
    assert after.version != before.version
    assert after.test_sha256 == before.test_sha256


def test_few_of_a_new_category_fold_into_its_parent(store, again):
    """The four products of a new category still count as its parent's."""
    for at in range(4):
        say(store, f"Camping hammock Aero{at}", ("Sport", "Camping", "Hammocks"), at=at)
    with suppress(PublicationRefusedError):  # so few change little
        again()
    snapshot = processed(store)["snapshot"]
    report = json.loads(store.get(layout.base_snapshot(snapshot, "feedback.json")).data)
    (new,) = report["new_categories"]
    assert (new["path"][-1], new["products"], new["joined"]) == ("Hammocks", 4, False)


def test_corrected_label_goes_before_the_shops(store, quick):
    """Where a correction contradicts the catalogue's label, the model trains on the correction."""
    from aisle_training.data.ingest import read_snapshot
    from aisle_training.data.ingest_feedback import find_base, ingest_feedback

    row = next(row for row in ROWS if row["name"] and row["description"])
    own = say(store, {"name": row["name"], "description": row["description"]}, TENTS)
    decide(store, [own], "accepted", note=None)
    settings = load(quick)
    snapshot = ingest_feedback(
        store,
        find_base(store),
        settings.feedback,
        settings.prepare,
        champion=lambda: Classifier(bundles.current_bundle(store)),
        known_model=Artefacts(store).known,
        run="r",
        why="w",
    )
    _, rows = read_snapshot(store, snapshot.id)
    changed = [row for row in rows if row.replaced or row.feedback]
    assert [(row.replaced, row.feedback) for row in changed] == [(True, None), (False, "new")]
    assert changed[1].labelled.path[-1].name == "Tents"


def test_nothing_new_trains_nothing(store, again):
    """Without feedback that can be trusted and is new, there is no new model."""
    with pytest.raises(PublicationRefusedError, match="nothing to learn"):
        again()
    visitor(store, "Quadcopter", DRONES)
    with pytest.raises(PublicationRefusedError, match="1 held"):
        again()
    assert status(store)["state"] == "refused"
    assert processed(store)["events"] == []  # it only waits for a review


def agreeing(store, count=50, *, predicted=True):
    """Send feedback that names the category which the model predicts; return the count."""
    classifier = Classifier(bundles.current_bundle(store))
    names = [f"{row['name'] or row['description']} {at}" for at, row in enumerate(ROWS[:count])]
    predictions = classifier.predict([Product(name) for name in names], explain=False)
    for at, (name, prediction) in enumerate(zip(names, predictions, strict=True)):
        path = [node.name for node in prediction.category.path]
        known = {"id": prediction.category.category.id, "path": path} if predicted else None
        say(store, name, path, predicted=known, at=at)
    return len(names)


def done(store):
    """Return the stages that the last run has finished."""
    return [stage["name"] for stage in status(store)["stages"] if stage["state"] == "done"]


def test_what_only_agrees_trains_nothing(store, again):
    """Where all new feedback agrees with the model, the run is refused before the fit."""
    count = agreeing(store)
    with pytest.raises(PublicationRefusedError, match=f"{count} of these are new, and agree"):
        again()
    assert processed(store)["states"] == {"accepted": count}
    assert done(store) == ["ingest"]


def test_what_may_disagree_is_trained_on(store, again):
    """Where feedback does not tell what was predicted, the run trains."""
    agreeing(store, predicted=False)
    with suppress(PublicationRefusedError):  # by the gate
        again()
    assert "fit" in done(store)


def test_what_agrees_is_learnt_beside_what_disagrees(store, again):
    """A run that disagreeing feedback has caused also learns from the feedback that agrees."""
    count = agreeing(store)
    family(store, DRONES)
    again()
    assert processed(store)["states"] == {"accepted": count + 40}


def test_what_agreed_with_another_model_is_something_new(store, again):
    """Feedback that agreed with an earlier model is trained on where the champion disagrees."""
    for at in range(40):
        name = f"Quadcopter Aero{at} drone with camera"
        assert ask(store, Product(name)) != DRONES
        say(store, name, DRONES, predicted={"path": list(DRONES)}, at=at)
    again()
    assert ask(store) == DRONES


def test_a_newer_version_is_unusable_and_stays_new(store, again):
    """The report lists an event that a newer version wrote, and the event counts as new later."""
    own = "b" * 64
    put(store, own, VERSION_1 | {"version": 3})
    family(store, DRONES)
    again()
    assert processed(store)["states"] == {"accepted": 40, "unusable": 1}
    assert own not in processed(store)["events"]
    ingested = store.get(layout.base_snapshot(processed(store)["snapshot"], "feedback.json")).data
    (event,) = [event for event in json.loads(ingested)["events"] if event["id"] == own]
    assert "version 3" in event["why"]


def test_accepted_feedback_of_a_visitor_is_learnt(store, again):
    """The next retraining learns what a reviewer has accepted."""
    ids = family(store, DRONES, client="site")
    with pytest.raises(PublicationRefusedError, match="40 held"):
        again()
    decide(store, ids, "accepted", note="looked at")
    again()
    assert ask(store) == DRONES


def test_store_without_a_catalogue_says_what_to_do(tmp_path, quick, monkeypatch):
    """Without a catalogue in the store or from the internet, the error says what to do."""

    def unreachable():
        raise DataError("The open data set cannot be reached.")

    monkeypatch.setattr("aisle_training.retrain.open_data_set", unreachable)
    empty = FolderStore(tmp_path / "empty")
    with pytest.raises(DataError, match="aisle train --data FILE"):
        retrain(empty, load(quick), why="a test")
    assert status(empty)["state"] == "failed"


def test_store_without_a_catalogue_ingests_one_first(tmp_path, quick):
    """An empty store is trained on the catalogue given and on the feedback it holds."""
    empty = FolderStore(tmp_path / "empty")
    family(empty, DRONES)
    data = write_catalogue(tmp_path / "shop.jsonl", ROWS)
    retrain(empty, load(quick), why="a test", data=str(data))
    assert ask(empty) == DRONES


def test_bucket_learns_as_a_folder_does(store, again, quick, s3_url):
    """In a bucket, the same feedback gives the same model. Moto does not check permissions."""
    family(store, DRONES)
    bucket = open_store(s3_url)
    for key in store.list(""):
        bucket.put(key, store.get(key).data)
    assert retrain(bucket, load(quick), why="a test").version == again().version
    assert ask(bucket) == DRONES


# Poison.


@pytest.mark.parametrize("clients", [1, 50])
def test_one_label_for_everything_changes_nothing(store, again, clients):
    """500 events that call everything Labels are held or quarantined; the champion stays."""
    before = store.get(layout.current_model())
    rows = list(products(500, seed=5))
    for at, row in enumerate(rows):
        product = {"name": f"{row['name'] or 'thing'} {at}", "description": row["description"]}
        client = f"client-{at % clients}"
        say(store, product, ("Office", "Paper", "Labels"), client=client, at=at)
    with pytest.raises(PublicationRefusedError):
        again()
    assert store.get(layout.current_model()) == before
    counts = processed(store)["states"]
    assert counts.pop("held", 0) + counts.pop("quarantined") == 500
    assert counts == {}


def test_gate_refuses_poison_that_a_reviewer_accepted(store, again):
    """Even where a reviewer accepts all of it, the gate refuses: the frozen test is unchanged."""
    before = store.get(layout.current_model())
    path = ("Office", "Paper", "Labels")
    events = [
        say(
            store,
            {"name": row["name"], "description": row["description"]},
            path,
            client=f"client-{at % 50}",
            at=at,
        )
        for at, row in enumerate(ROWS[:450])
    ]
    decide(store, events, "accepted", note=None)
    with pytest.raises(PublicationRefusedError, match="accuracy"):
        again()
    assert store.get(layout.current_model()) == before
    assert audit.history(store)[-1].event == "refused"
    refused = audit.history(store)[-1].version
    assert report(store, refused)["state"] == "refused"
    assert bundles.fetch_bundle(store, refused).manifest.model_version == refused


# Killed.


def stored_versions(store):
    """Return the versions that have a file of their bundle or report in the store."""
    keys = store.list(layout.models_prefix())
    return {key.split("/")[1] for key in keys if key.count("/") > 1} - {"audit"}


def snapshots(store):
    """Return the snapshots that have a file in the store."""
    return {key.split("/")[2] for key in store.list(layout.base_snapshots_prefix())}


def check_complete(store, events, version):
    """Check that a store is as an undisturbed run leaves it."""
    assert champion(store) == version
    for stored in stored_versions(store):
        bundles.fetch_bundle(store, stored)  # raises where a file is missing or damaged
    assert processed(store)["events"] == sorted(events)
    assert processed(store)["states"] == {"accepted": len(events)}
    assert len(list(store.list(layout.feedback_prefix()))) == len(events)
    assert [record.version for record in audit.history(store)].count(version) == 1
    assert status(store)["state"] == "published"


class Killed(BaseException):
    """The process is no more."""


class DyingStore(FolderStore):
    """A store whose process dies before a given number of writes is exceeded."""

    def __init__(self, root, writes):
        super().__init__(root)
        self.writes = writes

    def put(self, *arguments, **options):
        """Write, or die."""
        self._count()
        return super().put(*arguments, **options)

    def upload(self, *arguments, **options):
        """Write a file, or die."""
        self._count()
        return super().upload(*arguments, **options)

    def _count(self):
        if self.writes <= 0:
            raise Killed
        self.writes -= 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "share", [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.97]
)
def test_run_that_stops_at_a_write_resumes(store, quick, undisturbed, tmp_path, share):
    """Stopped before any of its writes and started again, a run ends as an undisturbed one."""
    events = family(store, DRONES)
    version, writes = undisturbed
    dying = DyingStore(tmp_path / "store", int(share * writes))
    with pytest.raises(Killed):
        retrain(dying, load(quick), why="a test")
    retrain(store, load(quick), why="a test")
    check_complete(store, events, version)


@pytest.fixture(scope="module")
def undisturbed(trained, tmp_path_factory, quick):
    """Give the version that the family's corrections lead to, and how many writes that takes."""
    folder = shutil.copytree(trained, tmp_path_factory.mktemp("undisturbed") / "store")
    family(FolderStore(folder), DRONES)
    counting = DyingStore(folder, 10_000)
    return retrain(counting, load(quick), why="a test").version, 10_000 - counting.writes


def test_finished_stages_are_not_repeated(store, quick, undisturbed, tmp_path, monkeypatch):
    """A run that was stopped after its fit neither fits again nor reads newer feedback."""
    events = family(store, DRONES)
    version, writes = undisturbed
    with pytest.raises(Killed):
        retrain(DyingStore(tmp_path / "store", writes - 20), load(quick), why="a test")
    assert status(store)["state"] == "running"
    say(store, "Quadcopter that came later", TENTS, at=900)
    monkeypatch.setattr("aisle_training.pipeline.fit", None)
    assert retrain(store, load(quick), why="a test").version == version
    assert processed(store)["events"] == sorted(events)


def start(store, quick, *more):
    """Start a retraining in a process of its own."""
    options = ["train", "--feedback", "--parameters", str(quick), *more]
    return subprocess.Popen(
        [*AISLE, "--store", store.url, *options],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def begun(name):
    """Give the function that tells whether a run has begun a stage."""

    def tell(store):
        stages = read_status(store).stages
        return any(stage.name == name and stage.state != "waiting" for stage in stages)

    return tell


MOMENTS = {
    "snapshot written": lambda store: len(snapshots(store)) > 1,
    **{f"{name} begun": begun(name) for name in STAGES},
    "first file of the model written": lambda store: len(stored_versions(store)) > 1,
    "audit record written": lambda store: len(audit.history(store)) > 1,  # then the pointer moves
}
"""Ten moments of a run, each with the function that tells whether the run has come to it."""


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_by_sigkill(store, quick, undisturbed, moment):
    """Killed at any of ten moments, the next run finishes the work; nothing is lost."""
    version, _ = undisturbed
    events = family(store, DRONES)
    with start(store, quick) as process:
        wait_until(lambda: MOMENTS[moment](store) or process.poll() is not None, moment)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=LIMIT_SECONDS)
    assert MOMENTS[moment](store)
    # On a busy machine the run may have finished before the signal: then there is nothing to learn.
    finished = read_status(store).state == "published"
    with start(store, quick) as process:
        _, log = process.communicate(timeout=LIMIT_SECONDS)
    assert process.returncode == (3 if finished else 0), log
    assert champion(store) == version
    if not finished:
        check_complete(store, events, version)


@pytest.mark.slow
def test_two_at_once(store, quick, undisturbed):
    """Two runs that start at once do not disturb each other: one model, each event counted once."""
    events = family(store, DRONES)
    with start(store, quick) as first, start(store, quick, "--run", "another") as second:
        logs = [process.communicate(timeout=LIMIT_SECONDS)[1] for process in (first, second)]
    assert {first.returncode, second.returncode} <= {0, 3}, logs
    assert 0 in {first.returncode, second.returncode}, logs
    assert champion(store) == undisturbed[0]
    bundles.current_bundle(store)
    assert processed(store)["events"] == sorted(events)
