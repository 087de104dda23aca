"""What has come in of feedback since the last training, counted as the trigger needs it."""

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
    """The feedback of a store in numbers.

    `new` are the products of which an event says that another category is right than was
    predicted, or may say so, and that the last training had not seen. `right` are the events that
    say that a prediction is right, in so many words or by naming the category that was predicted;
    `agreeing` those of them that the last training had not seen. `corrections` are the other
    events, `held` those that wait for a person: of the last training, and of what came in since.
    `unusable` are objects that are no events, or of a version that is not known.
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
    """Count the feedback of a store. An event never changes, so each is read once."""

    store: Store
    _known: dict[str, FeedbackEvent | Unusable] = field(default_factory=dict)

    def __call__(self) -> Count:
        """Count what there is now."""
        processed = read_processed(self.store)
        names = [*self.store.list(layout.feedback_prefix())]
        self._read([name for name in names if name not in self._known])
        objects = [self._known[name] for name in names]
        events = [each for each in objects if isinstance(each, FeedbackEvent)]
        unseen = [event for event in events if event.id not in processed.events]
        since = [each for each in unseen if not processed.at or each.received > processed.at]
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
        """Read events; tell of what is none: whoever may write there may write anything."""
        for name, each in zip(names, read_objects(self.store, names), strict=True):
            self._known[name] = each
            if isinstance(each, Unusable):
                _log.warning("An object among the feedback is not counted. %s", each.why)
