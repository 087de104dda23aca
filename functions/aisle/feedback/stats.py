"""What was counted of the feedback: `models/feedback.json`, written and read here alone.

Whoever decides whether a training is due tells of it here, and the API asks here.
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
    """Whether the last look at the feedback started a training job, and why.

    `at` is ISO 8601, UTC; `run` names the job that was started.
    """

    at: str
    started: bool
    why: str
    run: str | None = None


@dataclass(frozen=True, slots=True)
class FeedbackStats:
    """How many events of each kind there are, and whether a training is due.

    `new` counts products, `needed` how many of them make a training due; the others count events.
    `counted_at` is ISO 8601, UTC, and absent where nothing was counted yet.
    """

    counted_at: str | None = None
    events: _Count = 0
    right: _Count = 0
    corrections: _Count = 0
    unusable: _Count = 0
    new: _Count = 0
    needed: _Count = 0
    due: bool = False
    why: str = "Nothing was counted yet."
    held: _Count = 0
    quarantined: _Count = 0
    last: LastLook | None = field(default=None)

    def same_as(self, other: "FeedbackStats") -> bool:
        """Tell whether both say the same, but for the time."""
        return _timeless(self) == _timeless(other)


_STATS: Final = TypeAdapter(FeedbackStats)


def read_stats(store: Store) -> FeedbackStats:
    """Return what was counted last; raise MalformedObjectError for nonsense."""
    key = layout.feedback_state()
    try:
        return parse(key, store.get(key).data, _STATS, advice=REPLACED)
    except ObjectNotFoundError:
        return FeedbackStats()


def write_stats(store: Store, stats: FeedbackStats) -> bool:
    """Write what was counted, and tell whether it says more than what was there.

    Where it is only later, or nothing was ever said, nothing is written.
    """
    try:
        known = read_stats(store)
    except MalformedObjectError:
        known = None
    if known is not None:
        never = known.counted_at is None and not stats.events
        if never or known.same_as(stats):
            return False
    store.put(layout.feedback_state(), json.dumps(asdict(stats), indent=2, sort_keys=True).encode())
    return True


def _timeless(stats: FeedbackStats) -> FeedbackStats:
    last = replace(stats.last, at="") if stats.last else None
    return replace(stats, counted_at="", last=last)
