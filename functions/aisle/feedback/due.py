"""Is retraining due, and why? One answer for the function, `aisle serve` and `aisle retrain`."""

import logging
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from aisle.errors import AisleError, BundleError, MalformedObjectError
from aisle.feedback.count import Count, Counter
from aisle.feedback.event import read_time
from aisle.feedback.stats import FeedbackStats, LastLook, write_stats
from aisle.registry.job import current_status
from aisle.registry.pointer import read_pointer
from aisle.store import Store, lease

NEEDED: Final = 50
DAYS: Final = 7.0
_AFTER_A_FAILURE: Final = timedelta(minutes=15)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Policy:
    """When retraining is due: so many products newly corrected, or any and so many days.

    Only feedback that disagrees with the model, or may, corrects a product (`Count.new`).
    """

    needed: int = NEEDED
    days: float = DAYS


@dataclass(frozen=True, slots=True)
class DueDecision:
    """Whether retraining is due, and why."""

    count: Count
    due: bool
    why: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a decision has led to: a run that was started, or the reason why none was."""

    decision: DueDecision
    started: bool
    why: str
    run: str | None = None


def decide(
    counter: Counter, policy: Policy, *, now: datetime, run: str | None = None
) -> DueDecision:
    """Tell whether retraining is due; nothing is written. `run` has the lease already."""
    count = counter()
    new = f"{count.new} product{'' if count.new == 1 else 's'} newly corrected"
    agree = _agreeing(count)
    if ended := _ended_badly(counter.store, now, run):
        due, why = ended
        return DueDecision(count, due, f"{'Due' if due else 'Not due yet'}: {why} ({new}.){agree}")
    if not count.new:
        why = f"Not due: {new}; {policy.needed} are needed.{agree}"
        return DueDecision(count, due=False, why=why)
    if count.new >= policy.needed:
        return DueDecision(count, due=True, why=f"Due: {new}; {policy.needed} are needed.{agree}")
    trained = _last_training(counter.store, count)
    age = now - (trained or count.oldest or now)
    since = "the last training" if trained else "the first of it"
    days = f"{age / timedelta(days=1):.1f} days since {since}; {policy.days:g} are enough"
    due = age >= timedelta(days=policy.days)
    needed = f"{new} of {policy.needed} needed, {days}"
    return DueDecision(count, due=due, why=f"{'Due' if due else 'Not due'}: {needed}.{agree}")


def _agreeing(count: Count) -> str:
    """Tell of new feedback that counts for nothing here: it names what the model answers."""
    if not count.agreeing:
        return ""
    events = "event agrees" if count.agreeing == 1 else "events agree"
    return f" {count.agreeing} new {events} with the model, which starts no training."


def start_if_due(
    counter: Counter,
    policy: Policy,
    launch: Callable[[str, str], None],
    *,
    holder: str,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Outcome:
    """Start a training run where it is due and none is under way; store and log why or why not.

    `launch` is given the run's name and the reason, and has an hour to see to it that the run
    begins. Where it raises, nothing holds up the next one.
    """
    store = counter.store

    def told(decision: DueDecision, *, more: str = "", run: str | None = None) -> Outcome:
        outcome = Outcome(decision, run is not None, decision.why + more, run)
        _tell(store, policy, clock(), outcome)
        return outcome

    decision = decide(counter, policy, now=clock())
    if not decision.due:
        return told(decision)
    run = new_run()
    if lease.take(store, run, holder, now=clock()) is None:
        return told(decision, more=f" {_busy(store)}")
    try:
        # Again: a run may have ended between the count and the lease.
        decision = decide(counter, policy, now=clock(), run=run)
        if decision.due:
            launch(run, decision.why)
            return told(decision, run=run)
    except AisleError as error:
        lease.release(store, run, now=clock())
        told(decision, more=f" No run could be started. {error}")
        raise
    lease.release(store, run, now=clock())
    return told(decision)


def new_run() -> str:
    """Make up the name of a run."""
    return secrets.token_hex(6)


def _busy(store: Store) -> str:
    held, _ = lease.read(store)
    if held is None:
        return "Another was faster in starting a run."
    until = held.expires_at.isoformat(timespec="seconds")
    return f"But run {held.run} is under way ({held.holder}); its lease lasts until {until}."


def _last_training(store: Store, count: Count) -> datetime | None:
    """Return when was trained last, None where that never was."""
    times = [count.processed.at] if count.processed.at else []
    # Whoever serves says what is wrong with a pointer.
    with suppress(BundleError):
        pointed = read_pointer(store)
        times += _times(pointed[0].published_at if pointed else None)
    return max(times, default=None)


def _ended_badly(store: Store, now: datetime, run: str | None) -> tuple[bool, str] | None:
    """Tell whether, and why, the last run has to be repeated, where it came to no verdict.

    What it has seen of the feedback is no longer new, but nothing has come of it.
    """
    try:
        status = current_status(store, now=now, besides=run)
    except MalformedObjectError:  # the next run writes it anew; whoever asks for it is told
        return None
    if status.interrupted:
        return True, f"run {status.run} was interrupted."
    ended = _times(status.finished_at)
    if status.state != "failed" or not ended:
        return None
    try:
        again = ended[0] + _AFTER_A_FAILURE
    except OverflowError:  # the end of the year 9999 is no time that a run wrote
        return None
    when = again.isoformat(timespec="seconds")
    return now >= again, f"run {status.run} failed; it may be repeated from {when} on."


def _times(text: str | None) -> list[datetime]:
    try:
        return [read_time(text or "")]
    except ValueError:
        return []


def _tell(store: Store, policy: Policy, at: datetime, outcome: Outcome) -> None:
    """Log what was decided, and store it where the API reads it, where there is more to say."""
    now = at.isoformat(timespec="seconds")
    count = outcome.decision.count
    stats = FeedbackStats(
        counted_at=now,
        events=count.events,
        right=count.right,
        corrections=count.corrections,
        unusable=count.unusable,
        new=count.new,
        needed=policy.needed,
        due=outcome.decision.due,
        why=outcome.decision.why,
        held=count.held,
        quarantined=count.processed.quarantined,
        last=LastLook(now, outcome.started, outcome.why, outcome.run),
    )
    if write_stats(store, stats):
        level = "started" if outcome.started else "not started"
        _log.info("A training run was %s. %s", level, outcome.why)
