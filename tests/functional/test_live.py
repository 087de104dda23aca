"""Which model serves while the store changes."""

import logging
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import boto3
import pytest
from botocore.stub import Stubber

from aisle.errors import BundleError, StoreError
from aisle.model import bundle
from aisle.model.bundle import GOLDEN, LINEAR, MANIFEST
from aisle.registry import bundles
from aisle.registry.pointer import Pointer, read_pointer, write_pointer
from aisle.serving.predict import live
from aisle.serving.predict.live import LiveModel
from aisle.store import FolderStore, layout
from aisle.store.s3 import S3Store

MINUTE = 60
QUARTER = 15 * MINUTE


class CountingStore(FolderStore):
    """A folder store that records reads, and can fail."""

    def __init__(self, root):
        super().__init__(root)
        self.reads = []
        self.error = None

    def get(self, key):
        """Read, and record the key."""
        self.reads.append(key)
        if self.error:
            raise self.error
        return super().get(key)


class Counted:
    """Telemetry that adds up its counts."""

    def __init__(self):
        self.counts = {}

    def begin(self, correlation_id):
        """Do nothing."""

    def count(self, name, *values, **facts):
        """Add up."""
        self.counts[name] = self.counts.get(name, 0) + sum(values)

    def measure(self, name, *values):
        """Do nothing."""


@pytest.fixture(scope="module")
def packaged():
    """Give the version of the packaged model."""
    return bundle.read(bundle.PACKAGED).manifest.model_version


@pytest.fixture
def store(tmp_path):
    """Give an empty store."""
    return CountingStore(tmp_path / "store")


@pytest.fixture
def telemetry():
    """Give telemetry."""
    return Counted()


@pytest.fixture
def model(store, clock, telemetry):
    """Make a live model on the store."""
    return LiveModel(lambda: store, telemetry=telemetry, clock=clock)


@pytest.fixture
def trained(store, made_up_bundle):
    """Upload the made-up model without publishing it; give its version."""
    bundles.upload_bundle(store, made_up_bundle)
    return made_up_bundle.manifest.model_version


def point(store, version, *, at="now"):
    """Move the pointer to a version."""
    pointed = read_pointer(store)
    pointer = Pointer(version, "0" * 64, at)
    write_pointer(store, pointer, replacing=pointed[1] if pointed else None)


def fetched(store):
    """Return how many models were fetched since the last call."""
    count = sum(key.endswith(LINEAR) for key in store.reads)
    store.reads.clear()
    return count


def errors(caplog):
    """Return the logged errors with their causes."""
    return [
        f"{record.getMessage()} {record.exc_info and record.exc_info[1]}"
        for record in caplog.records
        if record.levelno == logging.ERROR
    ]


def test_without_a_store(packaged):
    """Without a store, the packaged model serves."""
    assert LiveModel(None)().model_version == packaged


def test_empty_store(model, packaged, caplog, telemetry):
    """With an empty store, the packaged model serves, and the log says so."""
    with caplog.at_level(logging.INFO):
        assert model().model_version == packaged
    assert "models/current.json" in caplog.text
    assert {record.levelno for record in caplog.records} == {logging.INFO}
    assert telemetry.counts == {}


def test_published_model_at_the_start(model, store, trained):
    """A model published before the start serves from the start."""
    point(store, trained)
    assert model().model_version == trained


@pytest.mark.parametrize(("passed", "new"), [(0, False), (59, False), (60, True), (9999, True)])
def test_published_model_takes_over(model, store, clock, trained, packaged, passed, new):
    """A newly published model takes over within a minute."""
    model()
    point(store, trained)
    clock.seconds += passed
    assert model().model_version == (trained if new else packaged)


def test_rollback_takes_over(model, store, clock, trained, made_up_bundle, telemetry):
    """A rollback takes over like any other publication."""
    other = bundle.read(bundle.PACKAGED)
    bundles.upload_bundle(store, other)
    served = []
    for version in (trained, other.manifest.model_version, trained):
        point(store, version)
        served.append(model().model_version)
        clock.seconds += MINUTE
    assert served == [trained, other.manifest.model_version, trained]
    assert telemetry.counts == {"ModelSwitched": 3}


def test_pointer_is_read_once_a_minute(model, store, clock, trained):
    """The pointer is read once a minute whatever the load, and a model is fetched once."""
    point(store, trained)
    for _ in range(3):
        for _ in range(10):
            model()
        clock.seconds += MINUTE
    assert store.reads.count(layout.current_model()) == 1 + 3  # one read is this test's own
    assert fetched(store) == 1


def test_poll_interval_can_be_set(store, clock, trained):
    """The interval between reads of the pointer is a parameter."""
    impatient = LiveModel(lambda: store, clock=clock, poll_seconds=5)
    impatient()
    point(store, trained)
    clock.seconds += 5
    assert impatient().model_version == trained


def test_rewritten_pointer_fetches_nothing(model, store, clock, trained):
    """A rewritten pointer to the current version fetches nothing."""
    point(store, trained)
    first = model()
    point(store, trained, at="later")
    clock.seconds += MINUTE
    assert model() is first
    assert fetched(store) == 1


@pytest.fixture
def damage(store, trained):
    """Give a function that damages the model or the pointer, publishes it, and names the file."""

    def run(how):
        if how == "pointer":
            store.put(layout.current_model(), b"{oops")
            return "models/current.json"
        if how == "absent":
            point(store, "absent")
            return MANIFEST
        if how == "missing":
            store.delete(layout.bundle_file(trained, GOLDEN))
        else:
            store.put(layout.bundle_file(trained, how), b"changed")
        point(store, trained)
        return GOLDEN if how == "missing" else how

    return run


DAMAGED = ["pointer", "absent", "missing", MANIFEST, LINEAR]


@pytest.mark.parametrize("how", DAMAGED)
def test_bad_model_is_refused(model, clock, damage, packaged, telemetry, caplog, how):
    """A damaged model is refused: the old one keeps serving; log and metric say so once."""
    old = model()
    named = damage(how)
    for _ in range(5):
        clock.seconds += MINUTE
        assert model() is old
    assert old.model_version == packaged
    (message,) = errors(caplog)
    assert named in message
    assert telemetry.counts == {"ModelRefused": 1}


@pytest.mark.parametrize("how", DAMAGED)
def test_bad_model_at_the_start(model, damage, packaged, telemetry, caplog, how):
    """Without an old model, the packaged one serves instead of a damaged one."""
    named = damage(how)
    assert model().model_version == packaged
    (message,) = errors(caplog)
    assert named in message
    assert telemetry.counts == {"ModelRefused": 1}


def test_model_that_predicts_differently_is_refused(
    model, store, clock, trained, monkeypatch, caplog
):
    """An intact model that fails its golden examples is refused."""

    def replay(fetched_bundle, _classifier):
        raise BundleError(f"{fetched_bundle.manifest.model_version} decides otherwise")

    monkeypatch.setattr(live.golden, "replay", replay)
    old = model()
    point(store, trained)
    clock.seconds += MINUTE
    assert model() is old
    assert f"{trained} decides otherwise" in errors(caplog)[0]


@pytest.mark.parametrize("error", [RuntimeError("odd"), KeyError("odd"), MemoryError("odd")])
def test_model_that_fails_unexpectedly_is_refused(
    model, store, clock, trained, monkeypatch, caplog, error
):
    """Whatever loading a model raises, the old one keeps serving."""
    old = model()

    def fail(_bundle):
        raise error

    monkeypatch.setattr(live, "Classifier", fail)
    point(store, trained)
    clock.seconds += MINUTE
    assert model() is old
    assert "odd" in errors(caplog)[0]


def test_bad_model_is_not_fetched_every_minute(model, store, clock, damage):
    """A damaged model is fetched again only after a quarter of an hour."""
    model()
    damage(LINEAR)
    counts = []
    for _ in range(20):
        clock.seconds += MINUTE
        model()
        counts.append(fetched(store))
    assert counts == [1, *[0] * 14, 1, *[0] * 4]


def test_repaired_model_takes_over_when_the_pointer_changes(
    model, store, clock, damage, trained, made_up_bundle
):
    """A refused version is loaded again when it is published again."""
    model()
    damage(LINEAR)
    clock.seconds += MINUTE
    model()
    bundles.upload_bundle(store, made_up_bundle)
    point(store, trained, at="later")
    clock.seconds += MINUTE
    assert model().model_version == trained


def test_repaired_model_takes_over_in_time(model, store, clock, damage, trained, made_up_bundle):
    """A refused version is loaded again after a while, even if the pointer stays the same."""
    model()
    damage(LINEAR)
    clock.seconds += MINUTE
    model()
    bundles.upload_bundle(store, made_up_bundle)
    clock.seconds += QUARTER
    assert model().model_version == trained


def test_store_that_cannot_be_reached(model, store, clock, trained, packaged, telemetry, caplog):
    """While the store is unreachable, the packaged model serves; the log says why once."""
    point(store, trained)
    store.error = StoreError("no route to the bucket")
    for _ in range(3):
        assert model().model_version == packaged
        clock.seconds += MINUTE
    assert len(errors(caplog)) == 1
    assert "no route to the bucket" in errors(caplog)[0]
    assert telemetry.counts == {"StoreFailed": 3}
    store.error = None
    assert model().model_version == trained


def test_store_that_is_lost(model, store, clock, trained):
    """A loaded model keeps serving when the store is unreachable or empty."""
    point(store, trained)
    old = model()
    store.error = StoreError("gone")
    clock.seconds += MINUTE
    assert model() is old
    store.error = None
    store.delete(layout.current_model())
    clock.seconds += MINUTE
    assert model() is old


def test_store_that_cannot_be_opened(packaged, caplog):
    """A store that cannot be opened counts as unreachable."""

    def open_store():
        raise StoreError("Could not open an object store. The address given was 'ftp://x'.")

    assert LiveModel(open_store)().model_version == packaged
    assert "ftp://x" in errors(caplog)[0]


def test_store_that_fails_while_fetching(model, store, clock, trained, telemetry, monkeypatch):
    """A store that fails during a fetch does not make the model bad: the next look tries again."""
    other = bundle.read(bundle.PACKAGED)
    bundles.upload_bundle(store, other)
    point(store, other.manifest.model_version)
    old = model()
    point(store, trained)
    clock.seconds += MINUTE
    original = FolderStore.get

    def get(self, key):
        if key.endswith(LINEAR):
            raise StoreError("the connection broke off")
        return original(self, key)

    with monkeypatch.context() as broken:
        broken.setattr(FolderStore, "get", get)
        assert model() is old
    assert telemetry.counts == {"ModelSwitched": 1, "StoreFailed": 1}
    clock.seconds += MINUTE
    assert model().model_version == trained


@pytest.mark.parametrize(
    ("code", "status", "logged"),
    [("NoSuchKey", 404, "404 NoSuchKey"), ("AccessDenied", 403, "s3:ListBucket")],
)
@pytest.mark.usefixtures("aws")
def test_missing_and_denied_are_alike(packaged, caplog, telemetry, code, status, logged):
    """S3's 403 may mean a missing object: the packaged model serves, and the log has the cause."""
    client = boto3.client("s3")
    with Stubber(client) as stubber:
        stubber.add_client_error("get_object", code, http_status_code=status)
        model = LiveModel(lambda: S3Store("shelf", client=client), telemetry=telemetry)
        assert model().model_version == packaged
    assert logged in caplog.text
    assert telemetry.counts == {}


def test_others_are_answered_while_one_loads(model, store, clock, trained, packaged, monkeypatch):
    """While one request loads a new model, the old model answers the others."""
    model()
    point(store, trained)
    clock.seconds += MINUTE
    loading, may_end = Event(), Event()
    replay = live.golden.replay

    def slow_replay(*arguments):
        loading.set()
        assert may_end.wait(300)
        return replay(*arguments)

    monkeypatch.setattr(live.golden, "replay", slow_replay)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(model)
        assert loading.wait(300)
        assert [model().model_version for _ in range(3)] == [packaged] * 3
        may_end.set()
        assert first.result().model_version == trained
    assert model().model_version == trained


def test_first_requests_share_one_model(model, store, trained):
    """Requests before the first model wait for the one that loads it."""
    point(store, trained)
    with ThreadPoolExecutor(4) as pool:
        models = {*pool.map(lambda _: model(), range(4))}
    assert len(models) == 1
    assert fetched(store) == 1


def test_nothing_to_serve(model, store, clock, trained, monkeypatch, tmp_path):
    """Without a packaged model, requests raise until a model is published."""
    monkeypatch.setattr(bundle, "PACKAGED", tmp_path)
    with pytest.raises(BundleError, match="No model can be served"):
        model()
    point(store, trained)
    clock.seconds += MINUTE
    assert model().model_version == trained
