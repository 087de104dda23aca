"""Where API keys are stored, how long they are cached, and how they are edited."""

import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Barrier, BrokenBarrierError, Event

import boto3
import pytest
from botocore.stub import Stubber

from aisle.access import api_keys, keyring
from aisle.access.keyring import KeyRing
from aisle.errors import ConfigurationError, StoreError
from aisle.store import FolderStore, layout
from aisle.store.s3 import S3Store

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def record(client="shop"):
    """Make the record of a new key."""
    return api_keys.new_key(client, ["predict"], now=NOW, lifetime=timedelta(days=1))[1]


class Source:
    """A source of keys that can fail."""

    def __init__(self, *known):
        self.known = known
        self.error = None
        self.reads = 0

    def __call__(self):
        """Read the keys."""
        self.reads += 1
        if self.error:
            raise self.error
        return self.known


@pytest.fixture
def store(tmp_path):
    """Give an empty store."""
    return FolderStore(tmp_path)


@pytest.mark.parametrize(("passed", "reads"), [(0, 1), (59, 1), (60, 2), (3600, 2)])
def test_keys_are_cached_for_a_minute(clock, passed, reads):
    """Keys are read again once they are a minute old, not before."""
    source = Source(record())
    ring = KeyRing(source, clock=clock)
    ring()
    clock.seconds += passed
    ring()
    assert source.reads == reads


def test_the_first_key_is_seen_at_once(clock):
    """The first key works at once, without a wait of a minute."""
    source = Source()
    ring = KeyRing(source, clock=clock)
    assert ring() == ()
    source.known = (record(),)
    clock.seconds += 1
    assert ring() == source.known


def test_revocation_arrives(clock):
    """A revocation takes effect after a minute."""
    source = Source(record())
    ring = KeyRing(source, clock=clock)
    ring()
    source.known = ()
    clock.seconds += 60
    assert ring() == ()


def test_known_keys_outlive_the_store(clock, caplog):
    """If reading fails, the known keys stay valid, and the log says so once a minute."""
    source = Source(record())
    ring = KeyRing(source, clock=clock)
    known = ring()
    source.error = StoreError("the bucket is gone")
    clock.seconds += 60
    assert ring() == ring() == known
    (line,) = caplog.records
    assert (line.levelno, "the bucket is gone" in line.getMessage()) == (logging.ERROR, True)


def test_keys_that_were_never_read(clock):
    """Without known keys, a failed read raises, and the next request tries again."""
    source = Source(record())
    source.error = StoreError("the bucket is gone")
    ring = KeyRing(source, clock=clock)
    with pytest.raises(StoreError):
        ring()
    source.error = None
    assert ring() == source.known


def test_others_are_answered_while_one_reads(clock):
    """While one request reads the keys again, the others use the known keys."""
    old, new = record("old"), record("new")
    reading, may_end = Event(), Event()
    answers = [(old,), (new,)]

    def read():
        if len(answers) == 1:
            reading.set()
            assert may_end.wait(300)
        return answers.pop(0)

    ring = KeyRing(read, clock=clock)
    ring()
    clock.seconds += 60
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(ring)
        assert reading.wait(300)
        assert [ring() for _ in range(3)] == [(old,)] * 3
        may_end.set()
        assert first.result() == (new,)
    assert ring() == (new,)


def test_first_requests_read_once(clock):
    """Requests before the first read wait for the one that reads."""
    source = Source(record())
    second = Barrier(2)

    def read():
        with suppress(BrokenBarrierError):  # no other request reads
            second.wait(0.3)
        return source()

    ring = KeyRing(read, clock=clock)
    with ThreadPoolExecutor(4) as pool:
        assert {*pool.map(lambda _: ring(), range(4))} == {source.known}
    assert source.reads == 1


def test_the_variable_comes_before_the_store(store):
    """Keys in the variable replace those of the store, which is not read."""
    mine = (record(),)

    def never():
        raise AssertionError

    assert keyring.keyring(api_keys.dump(mine).decode(), never)() == mine


@pytest.mark.parametrize("variable", ["", "  \n"])
def test_an_empty_variable_means_the_store(store, variable):
    """An empty variable counts as unset."""
    mine = record()
    keyring.edit(store, lambda known: (*known, mine))
    assert keyring.keyring(variable, lambda: store)() == (mine,)


def test_an_empty_array_is_no_keys(store):
    """An empty array in the variable means no keys, whatever the store has."""
    keyring.edit(store, lambda known: (*known, record()))
    assert keyring.keyring("[]", lambda: store)() == ()


def test_empty_store_has_no_keys(store):
    """An empty store has no keys and no ETag."""
    assert keyring.read(store) == ((), None)


@pytest.mark.parametrize("data", [b"{}", b"", b'""', b"null"])
def test_malformed_keys_are_an_error(store, data):
    """A malformed file of keys is an error, not an empty list."""
    store.put(layout.api_keys(), data)
    with pytest.raises(ConfigurationError):
        keyring.read(store)


@pytest.mark.parametrize(
    ("code", "status", "logged"),
    [("NoSuchKey", 404, "404 NoSuchKey"), ("AccessDenied", 403, "s3:ListBucket")],
)
@pytest.mark.usefixtures("aws")
def test_keys_that_s3_does_not_return(caplog, code, status, logged):
    """When S3 says missing or denied, there are no keys, and the log has S3's reason."""
    client = boto3.client("s3")
    with Stubber(client) as stubber:
        stubber.add_client_error("get_object", code, http_status_code=status)
        assert keyring.keyring("", lambda: S3Store("shelf", client=client))() == ()
    assert logged in caplog.text


def test_edits_at_the_same_time_are_all_kept(store):
    """An edit that loses a race is repeated on the keys of the winner."""
    mine, theirs = record("mine"), record("theirs")
    calls = []

    def add_mine(known):
        calls.append(known)
        if len(calls) == 1:  # another writer is faster, between our read and our write
            keyring.edit(store, lambda newest: (*newest, theirs))
        return (*known, mine)

    keyring.edit(store, add_mine)
    assert keyring.read(store)[0] == (theirs, mine)
    assert len(calls) == 2


def test_edit_that_always_loses_gives_up(store):
    """An edit that always loses the race raises, and the other edits are kept."""

    def add(known):
        keyring.edit(store, lambda newest: (*newest, record()))
        return (*known, record("late"))

    with pytest.raises(StoreError, match="Try again"):
        keyring.edit(store, add)
    assert {each.client for each in keyring.read(store)[0]} == {"shop"}


def test_keys_are_read_anew_every_minute(clock):
    """Each minute has a reading of its own, not only the first one after the start."""
    source = Source(record())
    ring = KeyRing(source, clock=clock)
    for _ in range(4):
        ring()
        clock.seconds += 60
    assert source.reads == 4


def test_no_keys_are_remembered_for_a_second(clock):
    """Where there are no keys, a store is not read for every request of the same second."""
    source = Source()
    ring = KeyRing(source, clock=clock)
    ring()
    clock.seconds += 0.5
    assert ring() == ()
    assert source.reads == 1


def test_a_failed_reading_is_repeated_after_a_minute(clock):
    """If the keys could not be read again, the next attempt is a minute later."""
    source = Source(record("old"))
    ring = KeyRing(source, clock=clock)
    ring()
    source.error = StoreError("the bucket is gone")
    clock.seconds += 60
    ring()
    source.error, source.known = None, (record("new"),)
    clock.seconds += 60
    assert ring() == source.known


def test_the_stores_ring_goes_by_its_clock(clock, store):
    """A ring of the store's keys reads them anew when its clock says that a minute has passed."""
    mine, theirs = record("mine"), record("theirs")
    keyring.edit(store, lambda _: (mine,))
    ring = keyring.keyring("", lambda: store, clock=clock)
    assert ring() == (mine,)
    keyring.edit(store, lambda known: (*known, theirs))
    assert ring() == (mine,)
    clock.seconds += 60
    assert ring() == (mine, theirs)


def test_a_folder_without_keys_is_nothing_to_warn_of(caplog, store):
    """A folder simply has no keys yet: the log tells it, and does not warn."""
    with caplog.at_level(logging.INFO):
        keyring.keyring("", lambda: store)()
    assert [line.levelno for line in caplog.records] == [logging.INFO]


@pytest.mark.usefixtures("aws")
def test_s3_without_keys_is_warned_of(caplog):
    """S3 may hide keys from a role without rights: the log warns."""
    client = boto3.client("s3")
    with Stubber(client) as stubber, caplog.at_level(logging.INFO, "aisle"):
        stubber.add_client_error("get_object", "NoSuchKey", http_status_code=404)
        keyring.keyring("", lambda: S3Store("shelf", client=client))()
    assert [line.levelno for line in caplog.records] == [logging.WARNING]
