"""API keys: how they are made, checked, revoked, stored and read."""

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from aisle.access import api_keys, scopes
from aisle.errors import ConfigurationError, NotAuthenticatedError, NotPermittedError

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
YEAR = timedelta(days=365)


def make(scopes=scopes.SCOPES, *, client="shop", lifetime=YEAR):
    """Make a key at noon."""
    return api_keys.new_key(client, scopes, now=NOW, lifetime=lifetime)


@pytest.fixture
def pair():
    """Make a key that opens everything."""
    return make()


def test_key_is_256_bits_and_recognisable(pair):
    """A key is a searchable prefix and 64 hexadecimal digits."""
    key, _ = pair
    prefix, _, digits = key.partition("_")
    assert prefix == "aisle"
    assert len(bytes.fromhex(digits)) == 32


def test_keys_are_distinct():
    """No two keys share a random part."""
    pairs = [make() for _ in range(50)]
    for part in (
        {key for key, _ in pairs},
        {record.id for _, record in pairs},
        {record.usage_id for _, record in pairs},
    ):
        assert len(part) == 50


def test_record_does_not_have_the_key(pair):
    """A record and its usage id reveal nothing of the key but its hash."""
    key, record = pair
    stored = json.dumps(asdict(record), default=str) + api_keys.dump((record,)).decode()
    assert key.removeprefix("aisle_") not in stored
    assert record.usage_id not in key
    assert record.usage_id not in record.sha256


def test_good_key_passes(pair):
    """A known key that has not expired returns its record."""
    key, record = pair
    assert api_keys.check((make()[1], record, make()[1]), key, now=NOW, scope="feedback") == record


@pytest.mark.parametrize("presented", [None, ""])
def test_missing_key(pair, presented):
    """Without a key, the message names the header that carries it."""
    with pytest.raises(NotAuthenticatedError, match="X-Api-Key"):
        api_keys.check((pair[1],), presented, now=NOW)


@pytest.mark.parametrize(
    "change",
    [
        lambda key: key[:-1],
        lambda key: key + "0",
        lambda key: key.upper(),
        lambda key: f" {key}",
        lambda key: f"{key}\n",
        lambda key: "aisle_" + "0" * 64,
        lambda key: "é" + key,
        lambda key: "\ud800",
        lambda _: "x" * 1_000_000,
    ],
)
def test_unknown_key(pair, change):
    """Anything but the exact key is refused, and the message does not repeat it."""
    key, record = pair
    with pytest.raises(NotAuthenticatedError, match="not known") as refusal:
        api_keys.check((record,), change(key), now=NOW)
    assert key[6:20] not in str(refusal.value)


def test_stored_values_are_no_keys(pair):
    """Nothing stored works as a key."""
    _, record = pair
    for stolen in (record.sha256, f"aisle_{record.sha256}", record.usage_id, record.id):
        with pytest.raises(NotAuthenticatedError):
            api_keys.check((record,), stolen, now=NOW)


def test_no_keys_at_all(pair):
    """Without any known key, no key passes."""
    with pytest.raises(NotAuthenticatedError):
        api_keys.check((), pair[0], now=NOW)


@pytest.mark.parametrize("late", [0, 1, 10**8])
def test_expired_key(late):
    """A key stops working at the second of its expiry."""
    key, record = make(lifetime=timedelta(days=1))
    now = record.expires + timedelta(seconds=late)
    assert not record.usable(now)
    with pytest.raises(NotAuthenticatedError, match="expired"):
        api_keys.check((record,), key, now=now)


def test_key_in_its_last_second():
    """A key works until its expiry."""
    key, record = make(lifetime=timedelta(days=1))
    assert api_keys.check((record,), key, now=record.expires - timedelta(seconds=1)) == record


def test_revoked_key(pair):
    """A revoked key does not work, even before its expiry."""
    key, record = pair
    keys = api_keys.revoke((record,), record.id, now=NOW)
    with pytest.raises(NotAuthenticatedError, match="revoked"):
        api_keys.check(keys, key, now=NOW)


def test_revoking_touches_one_key():
    """Revoking changes no other record, and keeps the time of an earlier revocation."""
    records = (make()[1], make()[1])
    once = api_keys.revoke(records, records[0].id, now=NOW)
    again = api_keys.revoke(once, records[0].id, now=NOW + YEAR)
    assert once == (replace(records[0], revoked=NOW), records[1])
    assert again == once


def test_revoking_an_unknown_id(pair):
    """An unknown id is an error that names it."""
    with pytest.raises(ConfigurationError, match="'nobody'"):
        api_keys.revoke((pair[1],), "nobody", now=NOW)


@pytest.mark.parametrize(("held", "asked"), [("predict", "feedback"), ("feedback", "predict")])
def test_missing_scope(held, asked):
    """A key works for its scopes only; the message names the missing one."""
    key, record = make([held])
    assert api_keys.check((record,), key, now=NOW, scope=held) == record
    with pytest.raises(NotPermittedError, match=f"'{asked}'"):
        api_keys.check((record,), key, now=NOW, scope=asked)


@pytest.mark.parametrize(
    ("client", "scopes"),
    [("", ["predict"]), ("A", ["predict"]), ("a/b", ["predict"]), ("a", ["everything"])],
)
def test_key_for_nobody_or_nothing(client, scopes):
    """A client needs a plain name and known scopes."""
    with pytest.raises(ConfigurationError):
        make(scopes, client=client)


def test_records_round_trip(pair):
    """Records are read as they were written."""
    keys = api_keys.revoke((pair[1], make(["predict"])[1]), pair[1].id, now=NOW)
    assert api_keys.parse(api_keys.dump(keys)) == keys


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": "aisle_secret"}, "sha256"),
        ({"sha256": None}, "sha256"),
        ({"id": 5}, "id"),
        ({"client": "A b"}, "client"),
        ({"scopes": ["admin"]}, "scope"),
        ({"scopes": None}, "TypeError"),
        ({"usage_id": "1"}, "usage_id"),
        ({"expires": "2026-11-22T12:00:00"}, "expires"),
        ({"expires": "soon"}, "expires"),
        ({"expires": None}, "expires"),
        ({"revoked": 1}, "revoked"),
        ({"key": "aisle_secret"}, "ValueError"),
    ],
)
def test_malformed_record(pair, change, message):
    """One malformed record makes the file unusable; the message names the field and no value."""
    data = json.dumps([pair[1].to_json(), pair[1].to_json() | change])
    with pytest.raises(ConfigurationError, match=message) as refusal:
        api_keys.parse(data)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"5", b"[5]", b"null", b'{"a": 1}', "[[]]"])
def test_malformed_file(data):
    """Anything but an array of records is an error that says what was expected."""
    with pytest.raises(ConfigurationError, match="aisle keys list --json"):
        api_keys.parse(data)


@pytest.mark.parametrize("name", ["id", "client", "scopes", "sha256", "usage_id", "expires"])
def test_record_without_a_field(pair, name):
    """A missing field is an error that names it; no default takes its place."""
    data = pair[1].to_json()
    del data[name]
    with pytest.raises(ConfigurationError, match=f"{name} is missing"):
        api_keys.parse(json.dumps([data]))


def test_revoked_key_is_not_usable(pair):
    """A revoked key is not usable at any time, though it has not expired."""
    (revoked,) = api_keys.revoke((pair[1],), pair[1].id, now=NOW)
    assert pair[1].usable(NOW)
    assert not revoked.usable(NOW)


def test_times_are_kept_to_the_second():
    """A key made, and revoked, within a second is read back as it was made."""
    within = NOW + timedelta(microseconds=123456)
    _, record = api_keys.new_key("shop", ["predict"], now=within, lifetime=YEAR)
    assert (record.created, record.expires) == (NOW, NOW + YEAR)
    assert api_keys.parse(api_keys.dump((record,))) == (record,)
    revoked = api_keys.revoke((record,), record.id, now=within)
    assert json.loads(api_keys.dump(revoked))[0]["revoked"] == "2026-11-22T12:00:00+00:00"


def test_times_of_another_zone_become_utc(pair):
    """A record with times of another zone is read, and written, as the same moments in UTC."""
    local = pair[1].to_json() | {"created": "2026-11-22T14:00:00+02:00"}
    (record,) = api_keys.parse(json.dumps([local]))
    assert record.created.isoformat() == "2026-11-22T12:00:00+00:00"
    elsewhere = replace(record, expires=record.expires.astimezone(timezone(timedelta(hours=2))))
    assert elsewhere.to_json() == pair[1].to_json()


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"])
def test_time_outside_the_calendar(pair, time):
    """A time that UTC has no year for is an error that names its field."""
    with pytest.raises(ConfigurationError, match=r"\bexpires\b"):
        api_keys.parse(json.dumps([pair[1].to_json() | {"expires": time}]))


def test_scopes_are_a_sorted_set():
    """A scope given twice counts once, and the order in which scopes are given is not kept."""
    assert make(["predict", "feedback", "predict"])[1].scopes == ("feedback", "predict")


@pytest.mark.parametrize(
    "field", ["id", "client", "sha256", "usage_id", "created", "expires", "revoked"]
)
def test_malformed_field_is_named(pair, field):
    """The message about a malformed field has its name as a word of its own."""
    with pytest.raises(ConfigurationError, match=rf"\b{field}\b"):
        api_keys.parse(json.dumps([pair[1].to_json() | {field: ""}]))


def test_client_of_a_refused_key_is_named():
    """The message about a client's name that cannot be used says that it is the client's."""
    with pytest.raises(ConfigurationError, match=r"\bclient\b"):
        make(client="A b")
