"""API keys: their records, and the one check that the server and the authorizer share.

A key is 256 random bits, and only its SHA-256 is stored. Salt and slow hashing protect passwords
that people choose; a random key cannot be guessed and needs neither.
"""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from aisle.access.scopes import SCOPES, Scope, require
from aisle.errors import ConfigurationError, NotAuthenticatedError
from aisle.json_text import parse_json

HEADER: Final = "X-Api-Key"
"""The request header that carries a key; header names are case-insensitive."""

_PREFIX: Final = "aisle_"  # lets people and secret scanners recognise a key
_KEY: Final = re.compile(_PREFIX + "[0-9a-f]{64}")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_USAGE_ID: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """The record of one key; the key itself cannot be derived from it.

    `id` names the key to people, `usage_id` to API Gateway's usage plans. Times are UTC.
    """

    id: str
    client: str
    scopes: tuple[Scope, ...]
    sha256: str
    usage_id: str
    created: datetime
    expires: datetime
    revoked: datetime | None = None

    def usable(self, now: datetime) -> bool:
        """Tell whether the key is valid now: neither revoked nor expired."""
        return self.revoked is None and now < self.expires

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read a record; raise KeyError, TypeError or ValueError for anything else."""
        revoked = data.get("revoked")
        record = cls(
            id=_matching("id", data["id"], _NAME),
            client=_matching("client", data["client"], _NAME),
            scopes=tuple(_scope(scope) for scope in data["scopes"]),
            sha256=_matching("sha256", data["sha256"], _DIGEST),
            usage_id=_matching("usage_id", data["usage_id"], _USAGE_ID),
            created=_time("created", data["created"]),
            expires=_time("expires", data["expires"]),
            revoked=None if revoked is None else _time("revoked", revoked),
        )
        if unknown := set(data) - set(cls.__slots__):
            raise ValueError(f"it has unknown fields: {', '.join(sorted(unknown))}")
        return record

    def to_json(self) -> dict[str, Any]:
        """Return plain data for `from_json`."""
        times = {
            name: time.astimezone(UTC).isoformat(timespec="seconds")
            for name in ("created", "expires", "revoked")
            if (time := getattr(self, name))
        }
        return asdict(self) | {"revoked": None} | times


ApiKeys = tuple[ApiKey, ...]


def new_key(
    client: str, scopes: Iterable[str], *, now: datetime, lifetime: timedelta
) -> tuple[str, ApiKey]:
    """Make a key; return it, to be shown once, and its record, to be stored.

    Raises ConfigurationError if the client's name or a scope cannot be used.
    """
    key = _PREFIX + secrets.token_hex(32)
    try:
        record = ApiKey(
            id=secrets.token_hex(4),
            client=_matching("client", client, _NAME),
            scopes=tuple(sorted({_scope(scope) for scope in scopes})),
            sha256=_sha256(key),
            usage_id=secrets.token_hex(16),
            created=now.replace(microsecond=0),
            expires=now.replace(microsecond=0) + lifetime,
        )
    except ValueError as error:
        raise ConfigurationError(f"No key was made: {error}. Correct it and try again.") from None
    return key, record


def revoke(keys: ApiKeys, key_id: str, *, now: datetime) -> ApiKeys:
    """Return the keys with one of them revoked; raise ConfigurationError for an unknown id."""
    if key_id not in {record.id for record in keys}:
        raise ConfigurationError(
            f"No key was revoked: no key has the id {key_id!r}. Expected an id that `aisle keys "
            "list` shows. Look it up there."
        )
    return tuple(
        replace(record, revoked=record.revoked or now) if record.id == key_id else record
        for record in keys
    )


def check(
    keys: ApiKeys, presented: str | None, *, now: datetime, scope: Scope | None = None
) -> ApiKey:
    """Return the record of the key that a client presented; without `scope`, any scope will do.

    Raises NotAuthenticatedError if the key is missing, unknown, expired or revoked, and
    NotPermittedError if it lacks the scope. Both messages may be shown to the client.
    """
    if not presented:
        raise NotAuthenticatedError(
            f"This request needs an API key; send one in the header {HEADER}."
        )
    match = None
    if _KEY.fullmatch(presented):
        digest = _sha256(presented)
        for record in keys:  # compare all, so that the duration reveals nothing
            if hmac.compare_digest(record.sha256, digest):
                match = record
    if match is None:
        raise NotAuthenticatedError("The API key is not known; check that all of it was sent.")
    if match.revoked is not None:
        raise NotAuthenticatedError("The API key was revoked; ask for a new one.")
    if not match.usable(now):
        raise NotAuthenticatedError("The API key has expired; ask for a new one.")
    if scope is not None:
        require(scope, match.scopes)
    return match


def parse(data: bytes | str) -> ApiKeys:
    """Read the records that `dump` wrote; raise ConfigurationError for anything else.

    The message does not quote the data, because someone may have put a key there by mistake.
    """
    try:
        items = parse_json(data)
        if not isinstance(items, list):
            raise _FieldError("they are not a JSON array")
        records = [ApiKey.from_json(item) for item in items]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        what = f"{error.args[0]} is missing" if isinstance(error, KeyError) else _harmless(error)
        raise ConfigurationError(
            f"The API keys cannot be read: {what}. Expected a JSON array of records, as "
            "`aisle keys list --json` prints them. Replace the content with that."
        ) from None
    return tuple(records)


def dump(keys: ApiKeys) -> bytes:
    """Return records as JSON."""
    return json.dumps([record.to_json() for record in keys], indent=2).encode() + b"\n"


class _FieldError(ValueError):
    """A field of a record has the wrong form; the message does not quote the value."""


def _harmless(error: Exception) -> str:
    return str(error) if isinstance(error, _FieldError) else f"a {type(error).__name__} occurred"


def _matching(name: str, value: object, pattern: re.Pattern[str]) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise _FieldError(f"'{name}' must match {pattern.pattern}")
    return value


def _scope(value: object) -> Scope:
    for scope in SCOPES:
        if value == scope:
            return scope
    raise _FieldError(f"a scope must be one of {', '.join(SCOPES)}")


def _time(name: str, value: object) -> datetime:
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
        if time is not None and time.tzinfo is not None:
            return time.astimezone(UTC)
    except (OverflowError, ValueError):  # Overflow: before the year 1 in UTC, or after 9999
        pass
    raise _FieldError(f"'{name}' must be a time with its zone, such as 2026-11-22T12:00:00Z")


def _sha256(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
