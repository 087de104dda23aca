"""The stored counts of feedback: `models/feedback.json`.

The retraining trigger writes them, and the API reads them.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Final

from pydantic import Field, TypeAdapter

from aisle.errors import MalformedObjectError, ObjectNotFoundError
from aisle.store import Store, layout
from aisle.store.typed import REPLACED, parse

_Count = Annotated[int, Field(ge=0)]


@dataclass(frozen=True, slots=True)
class LastLook:
    """Whether the last check of the feedback started a training job, and why.

    `at` is ISO 8601, UTC; `run` is the id of the job that was started.
    """

    at: str
    started: bool
    why: str
    run: str | None = None


@dataclass(frozen=True, slots=True)
class FeedbackStats:
    """How many events of each kind there are, and whether retraining is due.

    `new` counts products, `needed` is how many of them make retraining due; the other numbers count
    events. `counted_at` is ISO 8601, UTC; None if nothing has been counted yet.
    """

    counted_at: str | None = None
    events: _Count = 0
    right: _Count = 0
    corrections: _Count = 0
    unusable: _Count = 0
    new: _Count = 0
    needed: _Count = 0
    due: bool = False
    why: str = "No feedback has been counted yet."
    held: _Count = 0
    quarantined: _Count = 0
    last: LastLook | None = field(default=None)

    def same_as(self, other: "FeedbackStats") -> bool:
        """Tell whether both are equal apart from their times."""
        return _timeless(self) == _timeless(other)


_STATS: Final = TypeAdapter(FeedbackStats)


def read_stats(store: Store) -> FeedbackStats:
    """Return the latest counts; raise MalformedObjectError if they are malformed."""
    key = layout.feedback_state()
    try:
        return parse(key, store.get(key).data, _STATS, advice=REPLACED)
    except ObjectNotFoundError:
        return FeedbackStats()


def write_stats(store: Store, stats: FeedbackStats) -> bool:
    """Write the counts if they tell something new; return whether they were written.

    Nothing is written if only the times differ, or if there has never been any feedback.
    """
    try:
        known = read_stats(store)
    except MalformedObjectError:
        known = None
    if known is not None:
        no_feedback_yet = known.counted_at is None and not stats.events
        if no_feedback_yet or known.same_as(stats):
            return False
    store.put(layout.feedback_state(), json.dumps(asdict(stats), indent=2, sort_keys=True).encode())
    return True


def _timeless(stats: FeedbackStats) -> FeedbackStats:
    last = replace(stats.last, at="") if stats.last else None
    return replace(stats, counted_at="", last=last)
