"""Promotion and rollback of models, and the records of both."""

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
    """Make a copy of the packaged model with another version."""
    facts = {
        field: getattr(packaged.manifest, field)
        for field in ("features", "documents", "answer_thresholds", "outside", "libraries")
    }
    dataset = packaged.manifest.dataset | {"snapshot": name}
    return bundle.assemble(packaged.files, **facts, dataset=dataset)


@pytest.fixture
def keep(store, packaged):
    """Give the function that stores a judged model and returns its version."""

    def run(name, state="published", created="2026-11-22T12:00:00+00:00"):
        copy = another(packaged, name)
        version = copy.manifest.model_version
        bundles.upload_bundle(store, copy)
        facts = {"state": state, "why": "it was worse", "created_at": created, "accuracy": 0.5}
        store.put(layout.report_file(version, "report.json"), json.dumps(facts).encode())
        return version

    return run


def serving(store):
    """Return the version that serves."""
    pointed = read_pointer(store)
    return pointed and pointed[0].version


def events(store):
    """Return the records: event, version, and the version that served before."""
    return [(entry.event, entry.version, entry.previous) for entry in audit.history(store)]


def test_versions_differ(keep):
    """The stored models have different versions."""
    assert len({keep("one"), keep("two")}) == 2


def test_promotion_is_recorded(store, keep):
    """A model that passed the gate can be promoted; who, when and why are recorded."""
    version = keep("one")
    assert promote(store, version, ME) is None
    assert serving(store) == version
    (record,) = audit.history(store)
    assert (record.event, record.version, record.previous) == ("promoted", version, None)
    assert (record.who, record.why, record.run) == ("somebody", "a test", None)
    assert record.at.endswith("+00:00")


@pytest.mark.parametrize("state", ["refused", None])
def test_nothing_skips_the_gate(store, keep, state):
    """A model that the gate refused or never judged is not promoted."""
    version = keep("one", state)
    with pytest.raises(PublicationRefusedError, match="it was worse"):
        promote(store, version, ME)
    assert serving(store) is None
    assert events(store) == []


def test_incomplete_model_is_not_promoted(store, keep):
    """A model with a missing file is not promoted."""
    version = keep("one")
    store.delete(layout.bundle_file(version, bundle.LINEAR))
    with pytest.raises(BundleError, match="is incomplete or missing"):
        promote(store, version, ME)
    assert (serving(store), events(store)) == (None, [])


def test_model_that_serves_is_not_promoted_again(store, keep):
    """Promoting the current model is an error and leaves no record."""
    version = keep("one")
    promote(store, version, ME)
    with pytest.raises(DataError, match="already serves"):
        promote(store, version, ME)
    assert len(events(store)) == 1


def test_rollback_goes_back_step_by_step(store, keep, packaged):
    """Each rollback undoes one promotion, back to the packaged model at last."""
    first, second = keep("one"), keep("two")
    promote(store, first, ME)
    promote(store, second, ME)
    assert rollback(store, ME) == (second, first)
    assert serving(store) == first
    shipped = packaged.manifest.model_version
    assert rollback(store, ME) == (first, shipped)
    assert bundles.current_bundle(store).manifest.model_version == shipped
    with pytest.raises(DataError):
        rollback(store, ME)
    assert events(store)[2:] == [
        ("rolled back", first, second),
        ("rolled back", shipped, first),
    ]


def test_rollback_of_a_store_that_serves_nothing(store):
    """Without a published model, a rollback is an error."""
    with pytest.raises(DataError, match="nothing to roll back from"):
        rollback(store, ME)


def test_rollback_to_a_version(store, keep):
    """A rollback can go back several steps, to a model that has served."""
    first, second, third = keep("one"), keep("two"), keep("three")
    for version in (first, second, third):
        promote(store, version, ME)
    assert rollback(store, ME, to=first) == (third, first)
    assert serving(store) == first


def test_rollback_to_a_model_that_never_served(store, keep):
    """A rollback needs a model that has served and does not serve now."""
    current, never_served = keep("one"), keep("two")
    promote(store, current, ME)
    for to in (current, never_served):
        with pytest.raises(DataError, match="Cannot roll back to"):
            rollback(store, ME, to=to)
    assert serving(store) == current


def test_lost_race_leaves_no_record(store, keep, monkeypatch):
    """A promotion that loses a race leaves no record."""
    version, other = keep("one"), keep("other")
    write = write_pointer

    def raced(into, pointer, *, replacing):
        write(into, Pointer(other, "test", "2026-11-22T12:00:00+00:00"), replacing=replacing)
        write(into, pointer, replacing=replacing)

    monkeypatch.setattr(switch, "write_pointer", raced)
    with pytest.raises(PreconditionFailedError):
        promote(store, version, ME)
    assert (serving(store), events(store)) == (other, [])


def test_list_has_the_state_of_each_model(store, keep):
    """Models are listed newest first, each with its state and accuracy."""
    first = keep("one", created="2026-11-20T12:00:00+00:00")
    second = keep("two", created="2026-11-21T12:00:00+00:00")
    bad = keep("bad", "refused", created="2026-11-22T12:00:00+00:00")
    audit.write(store, "refused", bad, ME, previous=second)
    promote(store, first, ME)
    promote(store, second, ME)
    listed = [(model.version, model.state, model.accuracy) for model in models(store)]
    assert listed == [
        (bad, "refused", 0.5),
        (second, "current", 0.5),
        (first, "published", 0.5),
    ]


def test_interrupted_promotion_is_recorded_once(store, keep):
    """A promotion repeated after an interruption leaves one record."""
    version = keep("one")
    audit.write(store, "promoted", version, Occasion("killed", "a test", "r1"), previous=None)
    promote(store, version, ME)
    assert events(store) == [("promoted", version, None)]
