"""The retraining trigger, shared by the retrain function, `aisle serve` and `aisle retrain`."""

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
    """Retraining is due after `needed` newly corrected products, or after `days` with at least one.

    Only feedback that disagrees with the model, or may disagree, corrects a product (`Count.new`).
    """

    needed: int = NEEDED
    days: float = DAYS


@dataclass(frozen=True, slots=True)
class DueDecision:
    """Whether retraining is due, the reason, and the counts it is based on."""

    count: Count
    due: bool
    why: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a decision: a job was started, or the reason why none was."""

    decision: DueDecision
    started: bool
    why: str
    run: str | None = None


def decide(
    counter: Counter, policy: Policy, *, now: datetime, run: str | None = None
) -> DueDecision:
    """Decide whether retraining is due, without writing; `run` is a job that has the lease."""
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
    since = "the last training" if trained else "the first correction"
    days = f"{age / timedelta(days=1):.1f} days since {since}; {policy.days:g} are enough"
    due = age >= timedelta(days=policy.days)
    needed = f"{new} of {policy.needed} needed, {days}"
    return DueDecision(count, due=due, why=f"{'Due' if due else 'Not due'}: {needed}.{agree}")


def _agreeing(count: Count) -> str:
    """Return a sentence about new feedback that does not count, because it agrees."""
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
    """Start a training job if one is due and none is running; store and log the decision.

    `launch` gets the job's id and the reason; the job must begin within an hour, when the lease
    expires. If `launch` raises AisleError, the lease is released and the error is raised again.
    """
    store = counter.store

    def record(decision: DueDecision, *, more: str = "", run: str | None = None) -> Outcome:
        outcome = Outcome(decision, run is not None, decision.why + more, run)
        _record(store, policy, clock(), outcome)
        return outcome

    decision = decide(counter, policy, now=clock())
    if not decision.due:
        return record(decision)
    run = new_run()
    if lease.take(store, run, holder, now=clock()) is None:
        return record(decision, more=f" {_busy(store)}")
    try:
        # Decide again: a job may have ended between the count and the lease.
        decision = decide(counter, policy, now=clock(), run=run)
        if decision.due:
            launch(run, decision.why)
            return record(decision, run=run)
    except AisleError as error:
        lease.release(store, run, now=clock())
        record(decision, more=f" No training job could be started. {error}")
        raise
    lease.release(store, run, now=clock())
    return record(decision)


def new_run() -> str:
    """Return a random id for a training job."""
    return secrets.token_hex(6)


def _busy(store: Store) -> str:
    known, _ = lease.read(store)
    if known is None:
        return "Another process took the lease first."
    until = known.expires_at.isoformat(timespec="seconds")
    return f"But job {known.run} holds the lease until {until} ({known.holder})."


def _last_training(store: Store, count: Count) -> datetime | None:
    """Return the time of the last training, None if there was none."""
    times = [count.processed.at] if count.processed.at else []
    # The process that serves reports a malformed pointer.
    with suppress(BundleError):
        pointed = read_pointer(store)
        times += _times(pointed[0].published_at if pointed else None)
    return max(times, default=None)


def _ended_badly(store: Store, now: datetime, run: str | None) -> tuple[bool, str] | None:
    """Return whether to repeat the last job, and why; None if it ended with a verdict.

    The feedback that a failed job has seen no longer counts as new, though no model came of it.
    """
    try:
        status = current_status(store, now=now, besides=run)
    except MalformedObjectError:  # the next job overwrites it; who reads the status gets the error
        return None
    if status.interrupted:
        return True, f"job {status.run} was interrupted."
    ended = _times(status.finished_at)
    if status.state != "failed" or not ended:
        return None
    try:
        again = ended[0] + _AFTER_A_FAILURE
    except OverflowError:  # no job writes a time at the end of the year 9999
        return None
    when = again.isoformat(timespec="seconds")
    return now >= again, f"job {status.run} failed; the next attempt may start at {when}."


def _times(text: str | None) -> list[datetime]:
    try:
        return [read_time(text or "")]
    except ValueError:
        return []


def _record(store: Store, policy: Policy, at: datetime, outcome: Outcome) -> None:
    """Store the decision for the API, and log it, unless it is the same as the last one."""
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
        result = "started" if outcome.started else "not started"
        _log.info("A training job was %s. %s", result, outcome.why)
