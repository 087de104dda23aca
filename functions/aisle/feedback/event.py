"""Feedback events: the one module that writes, reads and migrates them.

An event is one object, written once and never changed. Version 2 added `predicted`, the category
that the model predicted; in version 1 it is unknown. An object without a version is version 1. An
object that is malformed or has a later version is unusable: it is reported by name, and the other
events are still read.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from aisle.access import scopes
from aisle.errors import DataError, ObjectNotFoundError, PreconditionFailedError
from aisle.feedback.decisions import ReviewDecision, read_decisions
from aisle.json_text import parse_json
from aisle.normalize import normalize
from aisle.product import Product
from aisle.store import Store, layout

EVENT_VERSION: Final = 2

_AT_ONCE: Final = 16  # S3 takes about 30 ms per object, however small


@dataclass(frozen=True, slots=True)
class NamedCategory:
    """A category named by its id, by its path of names (root first), or by both."""

    id: str | None = None
    path: tuple[str, ...] | None = None

    def same_as(self, other: "NamedCategory") -> bool | None:
        """Tell whether both name the same category; None if they cannot be compared.

        Compares the ids if both have one, else the normalised paths if both have one.

        >>> NamedCategory(path=("Home", "Lamps")).same_as(NamedCategory("l", ("home ", "LAMPS")))
        True
        >>> NamedCategory("l").same_as(NamedCategory(path=("Home", "Lamps"))) is None
        True
        """
        if self.id is not None and other.id is not None:
            return self.id == other.id
        if self.path is not None and other.path is not None:
            return spelled(self.path) == spelled(other.path)
        return None


@dataclass(frozen=True, slots=True)
class FeedbackEvent:
    """A client's feedback on the prediction for a product; `id` names its object.

    `right` is True if the client confirms the prediction; `category` is the category that the
    client calls right. `predicted` is the category that the model predicted, None if unknown: as
    the client states it, else as the model predicted when the event arrived. `review` is a
    person's decision on the event, if there is one.

    A client can lie in `predicted`, as it can in `category`. That only affects its own event: it
    does not count towards the next training, or it counts as a disagreement. Other clients' events
    are separate objects and count separately, and training believes or holds what the client says
    by the same rules as ever. Only clients that share a name (all do on a server without keys) can
    pre-empt each other, by sending the same feedback first on the same day.
    """

    id: str
    client: str
    received: datetime
    product: Product
    right: bool = False
    category: NamedCategory | None = None
    predicted: NamedCategory | None = None
    prediction_id: str | None = None
    note: str | None = None
    held_for_review: bool = False
    review: ReviewDecision | None = None

    @property
    def anonymous(self) -> bool:
        """Whether the sender is anonymous."""
        return self.client == scopes.SITE or self.held_for_review

    @property
    def disagrees(self) -> bool:
        """Whether it names another category than the predicted one, or may do so.

        If the predicted category is unknown, or cannot be compared, any category may be another.
        """
        if self.right or self.category is None:
            return False
        return self.predicted is None or self.category.same_as(self.predicted) is not True


@dataclass(frozen=True, slots=True)
class Unusable:
    """An object under the feedback prefix that this version of Aisle cannot use, and why."""

    id: str
    why: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """The result of storing an event: its id, and whether it was new."""

    feedback_id: str
    new: bool


def new_event(  # noqa: PLR0913  # an event has this many fields
    product: Product,
    *,
    client: str,
    now: datetime,
    right: bool = False,
    category: NamedCategory | None = None,
    predicted: NamedCategory | None = None,
    prediction_id: str | None = None,
    note: str | None = None,
) -> FeedbackEvent:
    """Make an event from a client's feedback.

    Its id is the hash of client, product and statement. `predicted` is not part of the hash, so a
    retry gives the same event whether or not the model could be asked. Feedback from the demo page
    is held for review, because its visitors are unknown.
    """
    event = FeedbackEvent(
        id="",
        client=client,
        received=now.astimezone(UTC),
        product=product,
        right=right,
        category=category,
        predicted=predicted,
        prediction_id=prediction_id,
        note=note,
        held_for_review=client == scopes.SITE,
    )
    return replace(event, id=hashlib.sha256(_canonical(_statement(event))).hexdigest())


def record_feedback(store: Store, event: FeedbackEvent) -> Recorded:
    """Store an event, unless the same event was stored already that day (UTC).

    Two events are the same if client, product and statement are identical. So the call is
    idempotent: a conditional write finds the object of an earlier attempt and changes nothing.
    """
    content = {
        "version": EVENT_VERSION,
        "received": event.received.isoformat(timespec="milliseconds"),
        "held_for_review": event.held_for_review,
        **_statement(event),
    }
    if event.predicted is not None:
        content["predicted"] = _category_fields(event.predicted)
    name = layout.feedback_event(event.received.date(), event.id)
    try:
        store.put(name, _canonical(content) + b"\n", if_absent=True)
    except PreconditionFailedError:
        return Recorded(event.id, new=False)
    return Recorded(event.id, new=True)


def read_events(store: Store) -> tuple[list[FeedbackEvent], list[Unusable]]:
    """Return all events with their review decisions, oldest first, and the unusable objects.

    Raises DataError if a decision cannot be read.
    """
    decisions = read_decisions(store)
    objects = read_objects(store, store.list(layout.feedback_prefix()))
    events = [
        replace(event, review=decisions.get(event.id))
        for event in objects
        if isinstance(event, FeedbackEvent)
    ]
    unusable = [item for item in objects if isinstance(item, Unusable)]
    return sorted(events, key=lambda event: (event.received, event.id)), unusable


def read_objects(store: Store, names: Iterable[str]) -> list[FeedbackEvent | Unusable]:
    """Read the objects with these names concurrently, in order, without review decisions."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return [*pool.map(lambda name: _read(store, name), names)]


def event_id(name: str) -> str:
    """Return the id of the event in the object with this name.

    >>> event_id("feedback/dt=2026-11-22/0011.json")
    '0011'
    """
    return name.rpartition("/")[2].removesuffix(".json")


def read_time(text: str) -> datetime:
    """Parse a time in ISO 8601, UTC if it has no zone; raise ValueError if it is malformed."""
    time = datetime.fromisoformat(text)
    try:
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError(f"{text} is not between the years 1 and 9999 in UTC") from None


def product_fields(product: Product) -> dict[str, Any]:
    """Return a product's fields by name, without the missing ones, as an event stores them."""
    return {name: value for name, value in asdict(product).items() if value is not None}


def spelled(path: Iterable[str]) -> tuple[str, ...]:
    """Return a path with its names normalised, so that paths can be compared.

    A name without letters or digits is only stripped.
    """
    return tuple(normalize(name) or name.strip() for name in path)


def _read(store: Store, name: str) -> FeedbackEvent | Unusable:
    own_id = event_id(name)
    try:
        return _parse(own_id, store.get(name).data)
    except ObjectNotFoundError:
        return Unusable(own_id, f"{name} cannot be read: it was deleted after it was listed.")
    except DataError as error:
        return Unusable(own_id, f"{name} cannot be used: {error}")


def _parse(own_id: str, data: bytes) -> FeedbackEvent:
    """Read what any version of `record_feedback` wrote; raise DataError with version and cause."""
    version: object = "unknown"
    try:
        content = parse_json(data)
        version = content.get("version", 1)
        return _event(own_id, _migrated(content, version))
    except KeyError as error:
        why = f"{error} is missing"
    except (AttributeError, OverflowError, TypeError, ValueError) as error:
        why = str(error)
    raise DataError(
        f"{why} (version {version}). Expected an event as the feedback API writes it, of version "
        f"{EVENT_VERSION} or earlier. Delete it; if a newer version of Aisle wrote it, update."
    )


def _migrated(content: Mapping[str, Any], version: object) -> Mapping[str, Any]:
    """Return the content of an event of any known version in the form of the current one."""
    if isinstance(version, bool):
        raise TypeError("its version is not a number")  # though True == 1
    if version == EVENT_VERSION:
        return content
    if version == 1:  # has no prediction; a field of this name there means something else
        return {name: value for name, value in content.items() if name != "predicted"}
    raise ValueError("this version of Aisle does not know the event's version")


def _event(own_id: str, content: Mapping[str, Any]) -> FeedbackEvent:
    category = content.get("category")
    event = FeedbackEvent(
        id=own_id,
        client=_text(content["client"]),
        received=read_time(_text(content["received"])),
        product=_product(content["product"]),
        right=_flag("right", content),
        category=None if category is None else _category(category),
        predicted=_predicted(content.get("predicted")),
        prediction_id=_text_or_none(content.get("prediction_id")),
        note=_text_or_none(content.get("note")),
        held_for_review=_flag("held_for_review", content),
    )
    if event.category is None and not event.right:
        raise ValueError("it neither names the right category nor confirms the prediction")
    return event


def _product(fields: Mapping[str, Any]) -> Product:
    price = fields.get("price")
    number = isinstance(price, int | float) and not isinstance(price, bool)
    if price is not None and not (number and math.isfinite(price)):
        raise TypeError(f"its price is {price!r}, which is not a finite number")
    for name, value in fields.items():
        if name != "price":
            _text_or_none(value)
    return Product(**fields)


def _category(fields: Mapping[str, Any]) -> NamedCategory:
    shop_id, path = _text_or_none(fields.get("id")), fields.get("path")
    if shop_id is None and not path:
        raise ValueError("one of its categories has neither an id nor a path")
    if path and not isinstance(path, list):
        raise TypeError(f"the path of a category is {path!r}, which is not a list")
    return NamedCategory(shop_id, tuple(map(_text, path)) if path else None)


def _predicted(stored: Any) -> NamedCategory | None:  # noqa: ANN401  # whatever is stored there
    """Return the predicted category; None if it is malformed, because an event needs none."""
    try:
        return None if stored is None else _category(stored)
    except (AttributeError, TypeError, ValueError):
        return None


def _flag(name: str, content: Mapping[str, Any]) -> bool:
    """Return a boolean field; False if it is missing."""
    value = content.get(name)
    if value is not None and not isinstance(value, bool):
        raise TypeError(f"its {name} is {value!r}, which is neither true nor false")
    return value is True


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a string")
    value.encode()  # raises for a lone surrogate, which nothing could print
    return value


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)


def _statement(event: FeedbackEvent) -> dict[str, Any]:
    """Return client, product and statement: the part of an event that its id is the hash of."""
    statement = {
        "client": event.client,
        "product": product_fields(event.product),
        "prediction_id": event.prediction_id,
        "right": event.right,
        "category": _category_fields(event.category) if event.category else None,
        "note": event.note,
    }
    return {name: value for name, value in statement.items() if value is not None}


def _category_fields(category: NamedCategory) -> dict[str, Any]:
    """Return a category's fields as plain data, without the missing ones."""
    return {name: value for name, value in asdict(category).items() if value is not None}


def _canonical(data: dict[str, Any]) -> bytes:
    return json.dumps(data, sort_keys=True, separators=(",", ":")).encode()
