"""The lease: at most one run trains at a time, and a killed run does not block the next."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest

from aisle.errors import PreconditionFailedError, StoreError
from aisle.store import FolderStore, layout, lease

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def store(tmp_path):
    """Give an empty store."""
    return FolderStore(tmp_path)


def test_one_of_many_takes_the_lease(store):
    """Of many simultaneous attempts, exactly one gets the lease."""
    with ThreadPoolExecutor(8) as pool:
        runs = [f"r{number}" for number in range(24)]
        taken = [*pool.map(lambda run: lease.take(store, run, "me", now=NOON), runs)]
    (mine,) = [held for held in taken if held]
    assert lease.read(store)[0] == mine
    assert (mine.taken_at, mine.expires_at) == (NOON, NOON + lease.START)


@pytest.mark.parametrize(("later", "taken"), [(-1, False), (0, True), (1, True)])
def test_expired_lease_is_taken_over(store, later, taken):
    """Another run may take an expired lease, but not a second earlier."""
    assert lease.take(store, "r1", "me", now=NOON, lasting=HOUR)
    now = NOON + HOUR + timedelta(seconds=later)
    other = lease.take(store, "r2", "other", now=now)
    assert (other is not None) is taken
    assert lease.read(store)[0].run == ("r2" if taken else "r1")


def test_a_run_takes_over_its_own_lease(store):
    """A run takes over the lease that was taken for it, which keeps its start."""
    lease.take(store, "r1", "the trigger", now=NOON)
    mine = lease.take(store, "r1", "the job", now=NOON + HOUR / 2, lasting=lease.RUNNING)
    assert (mine.holder, mine.taken_at) == ("the job", NOON)
    assert mine.expires_at == NOON + HOUR / 2 + lease.RUNNING


def test_only_its_run_renews_and_releases_it(store):
    """A run that has lost its lease neither renews nor releases another run's."""
    lease.take(store, "r1", "me", now=NOON, lasting=HOUR)
    assert lease.renew(store, "r1", now=NOON + HOUR, lasting=HOUR)
    assert lease.take(store, "r2", "other", now=NOON + 2 * HOUR) is not None
    assert not lease.renew(store, "r1", now=NOON + 2 * HOUR)
    lease.release(store, "r1", now=NOON + 2 * HOUR)
    assert lease.read(store)[0].holds(NOON + 2 * HOUR)
    lease.release(store, "r2", now=NOON + 2 * HOUR)
    assert not lease.read(store)[0].holds(NOON + 2 * HOUR)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"run": "r0"}', b'{"taken_at": 5}'])
def test_malformed_lease_blocks_nobody(store, caplog, data):
    """A malformed lease may be taken over, and the log says so."""
    store.put(layout.training_lock(), data)
    assert lease.take(store, "r1", "me", now=NOON)
    assert layout.training_lock() in caplog.text


def test_lost_answer_of_a_write_that_won(store, monkeypatch):
    """A write that succeeded but whose answer was lost still gives the lease."""
    put = store.put

    def lose(key, data, **condition):
        put(key, data, **condition)
        raise PreconditionFailedError("the retry met its own object")

    monkeypatch.setattr(store, "put", lose)
    assert lease.take(store, "r1", "me", now=NOON) is not None


def test_lease_is_renewed_during_the_work(store):
    """The lease is renewed during the work, even after a failed renewal, then released."""
    ticks = itertools.count()
    writes, enough, put = [], Event(), store.put

    def flaky(key, data, **condition):
        writes.append(key)
        if len(writes) == 3:
            raise StoreError("no network")
        etag = put(key, data, **condition)
        if len(writes) >= 6:
            enough.set()
        return etag

    store.put = flaky
    lease.take(store, "r1", "me", now=NOON)
    with lease.kept(store, "r1", every=0.001, now=lambda: NOON + timedelta(seconds=next(ticks))):
        assert enough.wait(300)
        assert lease.read(store)[0].expires_at > NOON + lease.RUNNING
    assert not lease.read(store)[0].holds(NOON + timedelta(seconds=next(ticks)))


def test_lease_ends_with_failed_work(store):
    """Failed work releases the lease, too."""
    lease.take(store, "r1", "me", now=NOON)
    with pytest.raises(RuntimeError), lease.kept(store, "r1", now=lambda: NOON):
        raise RuntimeError
    assert not lease.read(store)[0].holds(NOON)
