"""The lease: of several that want to train, one may, and none that died holds up the rest."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from aisle.errors import PreconditionFailedError, StoreError
from aisle.store import FolderStore, layout, lease

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def store(tmp_path):
    """Give an empty store."""
    return FolderStore(tmp_path)


def test_one_of_many_takes_it(store):
    """Of many that try at the same time, exactly one has the lease."""
    with ThreadPoolExecutor(8) as pool:
        runs = [f"r{at}" for at in range(24)]
        taken = [*pool.map(lambda run: lease.take(store, run, "me", now=NOON), runs)]
    (mine,) = [each for each in taken if each]
    assert lease.read(store)[0] == mine
    assert (mine.taken_at, mine.expires_at) == (NOON, NOON + lease.START)


@pytest.mark.parametrize(("later", "taken"), [(-1, False), (0, True), (1, True)])
def test_one_that_ran_out_is_taken_over(store, later, taken):
    """Another run may have it from when it ends on, not a second before."""
    assert lease.take(store, "r1", "me", now=NOON, lasting=HOUR)
    now = NOON + HOUR + timedelta(seconds=later)
    found = lease.take(store, "r2", "other", now=now)
    assert (found is not None) is taken
    assert lease.read(store)[0].run == ("r2" if taken else "r1")


def test_a_run_takes_over_its_own(store):
    """Who was asked to train takes the lease that was taken for the run, and began when it did."""
    lease.take(store, "r1", "the trigger", now=NOON)
    mine = lease.take(store, "r1", "the job", now=NOON + HOUR / 2, lasting=lease.RUNNING)
    assert (mine.holder, mine.taken_at) == ("the job", NOON)
    assert mine.expires_at == NOON + HOUR / 2 + lease.RUNNING


def test_only_its_run_renews_and_ends_it(store):
    """A run that has lost its lease neither renews nor ends that of another."""
    lease.take(store, "r1", "me", now=NOON, lasting=HOUR)
    assert lease.renew(store, "r1", now=NOON + HOUR, lasting=HOUR)
    assert lease.take(store, "r2", "other", now=NOON + 2 * HOUR) is not None
    assert not lease.renew(store, "r1", now=NOON + 2 * HOUR)
    lease.release(store, "r1", now=NOON + 2 * HOUR)
    assert lease.read(store)[0].holds(NOON + 2 * HOUR)
    lease.release(store, "r2", now=NOON + 2 * HOUR)
    assert not lease.read(store)[0].holds(NOON + 2 * HOUR)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"run": "r0"}', b'{"taken_at": 5}'])
def test_a_spoilt_one_holds_nobody_up(store, caplog, data):
    """An object that is no lease may be taken over, and the log says so."""
    store.put(layout.training_lock(), data)
    assert lease.take(store, "r1", "me", now=NOON)
    assert layout.training_lock() in caplog.text


def test_lost_answer_of_a_write_that_won(store, monkeypatch):
    """Where a write succeeded but its answer was lost, the lease is had all the same."""
    put = store.put

    def lose(key, data, **condition):
        put(key, data, **condition)
        raise PreconditionFailedError("the retry met its own object")

    monkeypatch.setattr(store, "put", lose)
    assert lease.take(store, "r1", "me", now=NOON) is not None


def test_it_is_kept_while_the_work_goes_on(store):
    """It is renewed beside the work, whatever goes wrong with one renewal, and ended after it."""
    ticks = iter(range(10_000))
    renewed, put = [], store.put

    def flaky(key, data, **condition):
        renewed.append(key)
        if len(renewed) == 3:
            raise StoreError("no network")
        return put(key, data, **condition)

    store.put = flaky
    lease.take(store, "r1", "me", now=NOON)
    with lease.kept(store, "r1", every=0.001, now=lambda: NOON + timedelta(seconds=next(ticks))):
        deadline = time.monotonic() + 10
        while len(renewed) < 6 and time.monotonic() < deadline:
            time.sleep(0.001)
        inside = lease.read(store)[0]
        assert inside.expires_at > NOON + lease.RUNNING
    assert len(renewed) >= 6
    assert not lease.read(store)[0].holds(NOON + timedelta(seconds=next(ticks)))


def test_it_ends_with_work_that_fails(store):
    """Work that fails ends the lease like any other."""
    lease.take(store, "r1", "me", now=NOON)
    with pytest.raises(RuntimeError), lease.kept(store, "r1", now=lambda: NOON):
        raise RuntimeError
    assert not lease.read(store)[0].holds(NOON)
