"""A feedback event: the one module that writes, reads and migrates what the store keeps of it.

One event is one object, written once and never changed. Version 2 added `predicted`, what the model
had answered; in an event of version 1 it is unknown. An object that says no version is of the
first; one of a version that is not known yet, or that is malformed, is unusable, which is told by
its name and hurts no other.
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

_AT_ONCE: Final = 16  # an object takes S3 some 30 ms, however small


@dataclass(frozen=True, slots=True)
class NamedCategory:
    """A category as somebody names it: by its id, by its path of names (root first), or by both."""

    id: str | None = None
    path: tuple[str, ...] | None = None

    def same_as(self, other: "NamedCategory") -> bool | None:
        """Tell whether both name one category; None where nothing that both give tells it.

        By their ids where both have one, else by their paths, however these are spelled.

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
    """What a client said of the prediction for a product, and when; `id` names its object.

    `right` where the client says that the prediction is; `category` is the one that it says is
    right. `predicted` is what the model had answered, None where that is unknown: as the client
    says, else as the model said that served when the event came in. `review` is what a person
    decided of the event, if anything.

    A client may lie in `predicted` as it may in `category`. It then makes its own event start no
    training, as if it had not sent it, or count as a disagreement, as another category would. The
    events of other clients are objects of their own and count by themselves; what it says is learnt
    or held by the same rules. Only clients who share a name (everyone does where no key is asked
    for) can be before one another with the same words on the same day.
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
        """Whether nobody knows who said it."""
        return self.client == scopes.SITE or self.held_for_review

    @property
    def disagrees(self) -> bool:
        """Whether it says that another category is right than was predicted, or may say so.

        Where it is unknown what was predicted, a category may be another one.
        """
        if self.right or self.category is None:
            return False
        return self.predicted is None or self.category.same_as(self.predicted) is not True


@dataclass(frozen=True, slots=True)
class Unusable:
    """An object among the events that this version of Aisle cannot use, and why."""

    id: str
    why: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of an event: its id, and whether it was new."""

    feedback_id: str
    new: bool


def new_event(  # noqa: PLR0913  # an event is no less
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
    """Make an event of what a client says now.

    Its id is the hash of who says what of which product. What was predicted is no part of that, so
    that the same said again is the same event, whether or not the model could be asked. What the
    page's visitors say is held for a review: nobody knows who they are.
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
    return replace(event, id=hashlib.sha256(_canonical(_said(event))).hexdigest())


def record_feedback(store: Store, event: FeedbackEvent) -> Recorded:
    """Keep an event, unless the same was kept already that day (UTC).

    The same is what the same client says of the same product, word for word: a retry finds its own
    object and changes nothing. Nothing is read: the condition on the write does it all.
    """
    content = {
        "version": EVENT_VERSION,
        "received": event.received.isoformat(timespec="milliseconds"),
        "held_for_review": event.held_for_review,
        **_said(event),
    }
    if event.predicted is not None:
        content["predicted"] = _given(event.predicted)
    name = layout.feedback_event(event.received.date(), event.id)
    try:
        store.put(name, _canonical(content) + b"\n", if_absent=True)
    except PreconditionFailedError:
        return Recorded(event.id, new=False)
    return Recorded(event.id, new=True)


def read_events(store: Store) -> tuple[list[FeedbackEvent], list[Unusable]]:
    """Return all events with what was decided of them, the oldest first, and what is unusable.

    Raises DataError where a decision cannot be read.
    """
    decisions = read_decisions(store)
    objects = read_objects(store, store.list(layout.feedback_prefix()))
    events = [
        replace(each, review=decisions.get(each.id))
        for each in objects
        if isinstance(each, FeedbackEvent)
    ]
    unusable = [each for each in objects if isinstance(each, Unusable)]
    return sorted(events, key=lambda event: (event.received, event.id)), unusable


def read_objects(store: Store, names: Iterable[str]) -> list[FeedbackEvent | Unusable]:
    """Read the objects of these names, many at once, in their order; without any decision."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return [*pool.map(lambda name: _read(store, name), names)]


def event_id(name: str) -> str:
    """Return the id of the event that an object of this name keeps.

    >>> event_id("feedback/dt=2026-11-22/0011.json")
    '0011'
    """
    return name.rpartition("/")[2].removesuffix(".json")


def read_time(text: str) -> datetime:
    """Return a time in ISO 8601; one that does not say where is in UTC. May raise ValueError."""
    time = datetime.fromisoformat(text)
    try:
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError(f"{text} is no time between the years 1 and 9999 in UTC") from None


def product_fields(product: Product) -> dict[str, Any]:
    """Return the fields that a product has, by name: as an event keeps it."""
    return {name: value for name, value in asdict(product).items() if value is not None}


def spelled(path: Iterable[str]) -> tuple[str, ...]:
    """Return a path of names in the spelling by which paths are compared.

    A name without a letter or a digit stays as it is.
    """
    return tuple(normalize(name) or name.strip() for name in path)


def _read(store: Store, name: str) -> FeedbackEvent | Unusable:
    own = event_id(name)
    try:
        return _parse(own, store.get(name).data)
    except ObjectNotFoundError:
        return Unusable(own, f"{name} cannot be read: it was listed, and then it was gone.")
    except DataError as error:
        return Unusable(own, f"{name} cannot be used: {error}")


def _parse(own: str, data: bytes) -> FeedbackEvent:
    """Read what `record_feedback` wrote, now or before; raise DataError with version and why."""
    version: object = "unknown"
    try:
        content = parse_json(data)
        version = content.get("version", 1)
        return _event(own, _migrated(content, version))
    except KeyError as error:
        why = f"{error} is missing"
    except (AttributeError, OverflowError, TypeError, ValueError) as error:
        why = str(error)
    raise DataError(
        f"{why} (version {version}). Expected was an event as the feedback API writes it, of "
        f"version {EVENT_VERSION} or before."
    )


def _migrated(content: Mapping[str, Any], version: object) -> Mapping[str, Any]:
    """Return an event of any version that is known as one of this version says it."""
    if isinstance(version, bool):
        raise TypeError("its version is no number")  # though True is equal to 1
    if version == EVENT_VERSION:
        return content
    if version == 1:  # did not keep what was predicted; what is called so there is something else
        return {name: value for name, value in content.items() if name != "predicted"}
    raise ValueError("this Aisle does not know its version: where a newer one wrote it, update")


def _event(own: str, content: Mapping[str, Any]) -> FeedbackEvent:
    category = content.get("category")
    event = FeedbackEvent(
        id=own,
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
        raise ValueError("it says neither which category is right, nor that the prediction is")
    return event


def _product(fields: Mapping[str, Any]) -> Product:
    price = fields.get("price")
    number = isinstance(price, int | float) and not isinstance(price, bool)
    if price is not None and not (number and math.isfinite(price)):
        raise TypeError(f"its price is {price!r}, which is no number")
    for name, value in fields.items():
        if name != "price":
            _text_or_none(value)
    return Product(**fields)


def _category(given: Mapping[str, Any]) -> NamedCategory:
    own, path = _text_or_none(given.get("id")), given.get("path")
    if own is None and not path:
        raise ValueError("a category of it has neither an id nor a path")
    if path and not isinstance(path, list):
        raise TypeError(f"the path of a category is {path!r}, which is no list")
    return NamedCategory(own, tuple(map(_text, path)) if path else None)


def _predicted(given: Any) -> NamedCategory | None:  # noqa: ANN401  # whatever is stored there
    """Return what was predicted; unknown where it is nonsense, which takes nothing from the rest.

    An event needs no prediction: what the client says is right counts without.
    """
    try:
        return None if given is None else _category(given)
    except (AttributeError, TypeError, ValueError):
        return None


def _flag(name: str, content: Mapping[str, Any]) -> bool:
    """Return whether something is said; what an event leaves out, it does not say."""
    value = content.get(name)
    if value is not None and not isinstance(value, bool):
        raise TypeError(f"its {name} is {value!r}, which is neither true nor false")
    return value is True


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    value.encode()  # half a character is no text either: nothing could print it
    return value


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)


def _said(event: FeedbackEvent) -> dict[str, Any]:
    """Return who said what of which product, the same however it was written down."""
    said = {
        "client": event.client,
        "product": product_fields(event.product),
        "prediction_id": event.prediction_id,
        "right": event.right,
        "category": _given(event.category) if event.category else None,
        "note": event.note,
    }
    return {name: value for name, value in said.items() if value is not None}


def _given(category: NamedCategory) -> dict[str, Any]:
    """Return what is given of a category, as plain data."""
    return {name: value for name, value in asdict(category).items() if value is not None}


def _canonical(data: dict[str, Any]) -> bytes:
    return json.dumps(data, sort_keys=True, separators=(",", ":")).encode()
