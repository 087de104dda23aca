"""API keys kept on S3."""

from datetime import UTC, datetime, timedelta

from aisle.access import api_keys, keyring
from aisle.store import open_store

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def record(client):
    """Make the record of a new key."""
    return api_keys.new_key(client, ["predict"], now=NOW, lifetime=timedelta(days=1))[1]


def test_concurrent_edits_are_all_kept(s3_url):
    """An edit that loses a race is repeated on the winner's keys; moto stands in for S3."""
    store = open_store(s3_url)
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
