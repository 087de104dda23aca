"""Which model serves, and how that changes: promotion, rollback, and the records of both."""

import json

import pytest

from aisle.errors import BundleError, DataError, PreconditionFailedError, PublicationRefusedError
from aisle.model import bundle
from aisle.registry import audit, bundles, switch
from aisle.registry.audit import Occasion
from aisle.registry.models import models
from aisle.registry.pointer import Pointer, read_pointer, write_pointer
from aisle.registry.switch import promote, rollback
from aisle.store import FolderStore, layout

ME = Occasion("somebody", "a test")


@pytest.fixture
def store(tmp_path):
    """Give an empty store."""
    return FolderStore(tmp_path)


@pytest.fixture(scope="module")
def packaged():
    """Give the packaged bundle."""
    return bundle.read(bundle.PACKAGED)


def another(packaged, name):
    """Make a model that answers as the packaged one does, of another version."""
    facts = {
        field: getattr(packaged.manifest, field)
        for field in ("features", "documents", "answer_thresholds", "outside", "libraries")
    }
    dataset = packaged.manifest.dataset | {"snapshot": name}
    return bundle.assemble(packaged.files, **facts, dataset=dataset)


@pytest.fixture
def keep(store, packaged):
    """Give the function that stores a model as the gate left it; returns its version."""

    def run(name, state="published", created="2026-11-22T12:00:00+00:00"):
        made = another(packaged, name)
        version = made.manifest.model_version
        bundles.upload_bundle(store, made)
        facts = {"state": state, "why": "it was worse", "created_at": created, "accuracy": 0.5}
        store.put(layout.report_file(version, "report.json"), json.dumps(facts).encode())
        return version

    return run


def serving(store):
    """Return the version that serves."""
    found = read_pointer(store)
    return found and found[0].version


def events(store):
    """Return what was recorded: what happened, to which version, and what served before."""
    return [(one.event, one.version, one.previous) for one in audit.history(store)]


def test_versions_differ(keep):
    """The models that these tests keep are told apart."""
    assert len({keep("one"), keep("two")}) == 2


def test_promotion_is_recorded(store, keep):
    """A model that the gate let pass can be made to serve; who, when and why is kept."""
    one = keep("one")
    assert promote(store, one, ME) is None
    assert serving(store) == one
    (record,) = audit.history(store)
    assert (record.event, record.version, record.previous) == ("promoted", one, None)
    assert (record.who, record.why, record.run) == ("somebody", "a test", None)
    assert record.at.endswith("+00:00")


@pytest.mark.parametrize("state", ["refused", None])
def test_nothing_skips_the_gate(store, keep, state):
    """A model that the gate refused, or never saw, is not promoted."""
    one = keep("one", state)
    with pytest.raises(PublicationRefusedError, match="it was worse"):
        promote(store, one, ME)
    assert serving(store) is None
    assert events(store) == []


def test_model_that_is_not_whole_is_not_promoted(store, keep):
    """A model of which a file was lost is not pointed to."""
    one = keep("one")
    store.delete(layout.bundle_file(one, bundle.MODEL))
    with pytest.raises(BundleError, match="no whole model"):
        promote(store, one, ME)
    assert (serving(store), events(store)) == (None, [])


def test_model_that_serves_is_not_promoted_again(store, keep):
    """Promoting what serves already is an error, and no record."""
    one = keep("one")
    promote(store, one, ME)
    with pytest.raises(DataError, match="serves already"):
        promote(store, one, ME)
    assert len(events(store)) == 1


def test_rollback_goes_back_step_by_step(store, keep, packaged):
    """Each rollback undoes one promotion, to the packaged model in the end, and no further."""
    one, two = keep("one"), keep("two")
    promote(store, one, ME)
    promote(store, two, ME)
    assert rollback(store, ME) == (two, one)
    assert serving(store) == one
    ours = packaged.manifest.model_version
    assert rollback(store, ME) == (one, ours)
    assert bundles.current_bundle(store).manifest.model_version == ours
    with pytest.raises(DataError):
        rollback(store, ME)
    assert events(store)[2:] == [("rolled back", one, two), ("rolled back", ours, one)]


def test_rollback_of_a_store_that_serves_nothing(store):
    """Where the packaged model serves, there is nothing to go back from."""
    with pytest.raises(DataError, match="nothing to go back from"):
        rollback(store, ME)


def test_rollback_to_a_version(store, keep):
    """One may go back further at once, to a model that has served."""
    one, two, three = keep("one"), keep("two"), keep("three")
    for each in (one, two, three):
        promote(store, each, ME)
    assert rollback(store, ME, to=one) == (three, one)
    assert serving(store) == one


def test_rollback_to_a_model_that_never_served(store, keep):
    """A model that never served is no step back, and neither is the one that serves."""
    one, two = keep("one"), keep("two")
    promote(store, one, ME)
    for to in (one, two):
        with pytest.raises(DataError, match="no going back"):
            rollback(store, ME, to=to)
    assert serving(store) == one


def test_lost_race_leaves_no_record(store, keep, monkeypatch):
    """Where somebody else moves the pointer meanwhile, nothing is recorded that did not happen."""
    one, other = keep("one"), keep("other")
    write = write_pointer

    def raced(into, pointer, *, replacing):
        write(into, Pointer(other, "test", "2026-11-22T12:00:00+00:00"), replacing=replacing)
        write(into, pointer, replacing=replacing)

    monkeypatch.setattr(switch, "write_pointer", raced)
    with pytest.raises(PreconditionFailedError):
        promote(store, one, ME)
    assert (serving(store), events(store)) == (other, [])


def test_list_tells_what_became_of_each(store, keep):
    """Models come newest first, each with its state, its accuracy and its last record."""
    one = keep("one", created="2026-11-20T12:00:00+00:00")
    two = keep("two", created="2026-11-21T12:00:00+00:00")
    bad = keep("bad", "refused", created="2026-11-22T12:00:00+00:00")
    audit.write(store, "refused", bad, ME, previous=two)
    promote(store, one, ME)
    promote(store, two, ME)
    found = [(one.version, one.state, one.accuracy) for one in models(store)]
    assert found == [(bad, "refused", 0.5), (two, "current", 0.5), (one, "published", 0.5)]


def test_promotion_that_never_came_true_is_recorded_once(store, keep):
    """Whoever was killed between the record and the pointer leaves one record, not two."""
    one = keep("one")
    audit.write(store, "promoted", one, Occasion("killed", "a test", "r1"), previous=None)
    promote(store, one, ME)
    assert events(store) == [("promoted", one, None)]
