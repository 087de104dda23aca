"""Count the feedback that came in since the last training, as the trigger needs it."""

import logging
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from aisle.feedback.event import FeedbackEvent, Unusable, read_objects
from aisle.feedback.processed import Processed, read_processed
from aisle.identity import product_identity
from aisle.store import Store, layout

_NOTHING: Final = Processed()

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Count:
    """The counts of a store's feedback.

    `events` counts all events: `right` those that confirm a prediction, explicitly or by naming
    the predicted category, `corrections` the others. `new` counts the products that have at least
    one correction the last training has not seen; `agreeing` counts the confirmations it has not
    seen. `held` counts events that wait for a person: those that the last training held, and those
    received since. `unusable` counts objects that are not events, or have an unknown version.
    `oldest` is when the first of the new corrections was received.
    """

    events: int = 0
    right: int = 0
    corrections: int = 0
    new: int = 0
    agreeing: int = 0
    held: int = 0
    unusable: int = 0
    oldest: datetime | None = None
    processed: Processed = _NOTHING


@dataclass(frozen=True, slots=True)
class Counter:
    """Count the feedback of a store. Events never change, so each is read only once."""

    store: Store
    _known: dict[str, FeedbackEvent | Unusable] = field(default_factory=dict)

    def __call__(self) -> Count:
        """Return the counts as of now."""
        processed = read_processed(self.store)
        names = [*self.store.list(layout.feedback_prefix())]
        self._read([name for name in names if name not in self._known])
        objects = [self._known[name] for name in names]
        events = [event for event in objects if isinstance(event, FeedbackEvent)]
        unseen = [event for event in events if event.id not in processed.events]
        since = [event for event in unseen if not processed.at or event.received > processed.at]
        countable = [event for event in unseen if not event.held_for_review]
        new = [event for event in countable if event.disagrees]
        corrections = sum(event.disagrees for event in events)
        return Count(
            events=len(events),
            right=len(events) - corrections,
            corrections=corrections,
            new=len({product_identity(event.product) for event in new}),
            agreeing=len(countable) - len(new),
            held=processed.held + sum(event.held_for_review for event in since),
            unusable=len(objects) - len(events),
            oldest=min((event.received for event in new), default=None),
            processed=processed,
        )

    def _read(self, names: list[str]) -> None:
        """Read events, and log unusable objects: anyone with write access can put them there."""
        for name, event in zip(names, read_objects(self.store, names), strict=True):
            self._known[name] = event
            if isinstance(event, Unusable):
                _log.warning("An object under the feedback prefix is not counted. %s", event.why)
