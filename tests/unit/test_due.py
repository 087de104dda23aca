"""Whether a training job is due, why, and what follows from it."""

import hashlib
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from aisle.errors import CloudError, PreconditionFailedError
from aisle.feedback.count import Counter
from aisle.feedback.due import Policy, decide, start_if_due
from aisle.feedback.event import NamedCategory, new_event, record_feedback
from aisle.product import Product
from aisle.registry.pointer import Pointer, write_pointer
from aisle.store import FolderStore, layout, lease

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)
POLICY = Policy(needed=3, days=7)


@pytest.fixture
def store(tmp_path):
    """Give an empty store."""
    return FolderStore(tmp_path)


def say(store, name, *, right=False, client="shop", held=False, at=NOON, **more):
    """Store a feedback event; return its hash."""
    event = {
        "client": client,
        "right": right,
        "held_for_review": held,
        "received": at.isoformat(),
        "product": {"name": name, **more},
        "category": {"id": "x"},
    }
    data = json.dumps(event).encode()
    digest = hashlib.sha256(data).hexdigest()
    store.put(layout.feedback_event(at.date(), digest), data)
    return digest


def processed(store, *hashes, at=NOON, **more):
    """Record that a training job has processed these events."""
    facts = {"run": "r0", "at": at.isoformat(), "events": hashes}
    store.put(layout.processed_feedback(), json.dumps(facts | more).encode())


def due(store, *, now=NOON, policy=POLICY):
    """Decide whether a training job is due."""
    return decide(Counter(store), policy, now=now)


def test_no_feedback_is_not_due(store):
    """Without feedback nothing is due, however much time passes."""
    decision = due(store, now=NOON + 1000 * DAY)
    assert (decision.due, decision.count.events) == (False, 0)


@pytest.mark.parametrize(("products", "expected"), [(2, False), (3, True), (4, True)])
def test_enough_corrections_are_due(store, products, expected):
    """A run is due once the needed number of products is newly corrected."""
    for number in range(products):
        say(store, f"tv {number}")
    decision = due(store)
    assert (decision.due, decision.count.new) == (expected, products)
    assert f"{products} products newly corrected" in decision.why


def test_only_distinct_new_corrections_count(store):
    """Confirmations, repetitions, held events and processed events are not new."""
    seen = say(store, "seen before")
    processed(store, seen, held=4, quarantined=5)
    say(store, "Right TV", right=True)
    say(store, "held tv", held=True)
    say(store, "A  TV")
    say(store, "a <b>tv</b>", client="other")
    say(store, "a tv", at=NOON + DAY)
    say(store, "a tv", description="of another kind")
    count = due(store).count
    assert count.new == 2
    assert (count.events, count.right, count.corrections) == (7, 1, 6)
    assert (count.held, count.processed.quarantined) == (4, 5)


def test_events_held_since_the_last_run_wait_too(store):
    """Events wait for a person if the last run held them, or if they were held since."""
    say(store, "held before", held=True, at=NOON - DAY)
    processed(store, held=4)
    say(store, "held after", held=True, at=NOON + DAY)
    say(store, "held later", held=True, at=NOON + 2 * DAY)
    assert due(store).count.held == 6


def published(store, *, at):
    """Publish a model."""
    pointer = Pointer("v1", "", at.isoformat(timespec="seconds"))
    write_pointer(store, pointer, replacing=None)


@pytest.fixture
def history(store):
    """Store events of different ages, of which only two are new corrections; return one's hash."""
    say(store, "confirmed", right=True, at=NOON - 50 * DAY)
    seen = say(store, "processed", at=NOON - 40 * DAY)
    say(store, "held", held=True, at=NOON - 30 * DAY)
    say(store, "corrected first", at=NOON - 20 * DAY)
    say(store, "corrected last", at=NOON - 2 * DAY)
    return seen


@pytest.mark.parametrize(
    ("trained", "expected"),
    [
        ({"processed": 10, "published": 15}, 10),
        ({"processed": 15, "published": 10}, 10),
        ({"processed": 25}, 25),
        ({"published": 5}, 5),
    ],
    ids=["refused since", "published since", "never published", "nothing processed"],
)
def test_age_counts_from_the_last_training(store, history, trained, expected):
    """The age is that of the last training, published or not, and not that of any event."""
    record = {
        "processed": lambda at: processed(store, history, at=at),
        "published": lambda at: published(store, at=at),
    }
    for name, days in trained.items():
        record[name](NOON - days * DAY)
    for days, is_due in [(expected + 1, False), (expected, True)]:
        decision = due(store, policy=Policy(needed=9, days=days))
        assert decision.due is is_due
        assert f"{expected}.0 days since the last training; {days} are enough" in decision.why


def test_age_without_a_training_is_that_of_the_oldest_new_correction(store, history):
    """Before the first training, the oldest event that counts sets the age."""
    facts = {"run": "r0", "events": [history]}
    store.put(layout.processed_feedback(), json.dumps(facts).encode())
    for days, is_due in [(21, False), (20, True)]:
        decision = due(store, policy=Policy(needed=9, days=days))
        assert decision.due is is_due
        assert "20.0 days since the first" in decision.why
        assert f"; {days} are enough" in decision.why


@pytest.mark.parametrize(("days", "expected"), [(6.9, False), (7, True)])
def test_one_correction_is_enough_after_some_days(store, days, expected):
    """A single correction makes a run due when the last training is old enough."""
    processed(store)
    say(store, "tv", at=NOON + DAY)
    decision = due(store, now=NOON + days * DAY)
    assert decision.due is expected
    assert "1 product newly corrected" in decision.why


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"product": 5}', b'{"received": "now"}'])
def test_malformed_event_is_not_counted(store, data):
    """Anything may be stored among the events; a malformed object counts as no event."""
    store.put(layout.feedback_event(NOON.date(), "0" * 64), data)
    assert due(store).count.events == 0


def test_events_are_read_once(store):
    """Events never change, so a second count reads only the new ones."""
    for number in range(3):
        say(store, f"old tv {number}")
    counter = Counter(store)
    counter()
    for number in range(2):
        say(store, f"new tv {number}")
    read, get = [], store.get
    store.get = lambda key: read.append(key) or get(key)
    assert counter().new == 5
    assert len([key for key in read if key.startswith("feedback/")]) == 2


def status(store, **facts):
    """Write the status of the last run."""
    store.put(layout.training_status(), json.dumps({"run": "r0"} | facts).encode())


@pytest.mark.parametrize(("minutes", "expected"), [(14, False), (15, True)])
def test_a_failed_run_is_repeated_after_a_while(store, minutes, expected):
    """A failed run is repeated after a while, though its feedback is no longer new."""
    processed(store, say(store, "tv"))
    status(store, state="failed", finished_at=NOON.isoformat())
    decision = due(store, now=NOON + timedelta(minutes=minutes))
    assert decision.due is expected
    assert "r0" in decision.why


@pytest.mark.parametrize("state", ["published", "refused"])
def test_a_run_with_a_verdict_is_not_repeated(store, state):
    """Neither a published nor a refused run is repeated for the same feedback."""
    processed(store, *(say(store, f"tv {number}") for number in range(9)))
    status(store, state=state, finished_at=NOON.isoformat())
    assert not due(store, now=NOON + DAY).due


def test_an_interrupted_run_is_due(store):
    """A run whose status is "running" but whose lease has expired was killed, so it is due."""
    processed(store, say(store, "tv"))
    status(store, state="running", updated_at=NOON.isoformat())
    lease.take(store, "r0", "somebody", now=NOON, lasting=lease.RUNNING)
    assert not due(store, now=NOON + lease.RUNNING / 2).due
    assert due(store, now=NOON + lease.RUNNING).due


@pytest.mark.parametrize("data", [b"", b"[]", b'{"state": "flying"}'])
def test_malformed_status_stops_no_training(store, data):
    """Whether training is due does not depend on a readable status: the next run replaces it."""
    store.put(layout.training_status(), data)
    assert not due(store).due
    for number in range(3):
        say(store, f"tv {number}")
    assert due(store).due


def start(store, launched, *, now=NOON, counter=None):
    """Start a run if one is due; record the launch."""
    return start_if_due(
        counter or Counter(store),
        POLICY,
        lambda run, why: launched.append((run, why)),
        holder="a test",
        clock=lambda: now,
    )


def state(store):
    """Read the stored decision."""
    return json.loads(store.get(layout.feedback_state()).data)


def test_a_run_is_started_and_recorded(store, caplog):
    """A due run is launched under a lease; log and store say which run, and why."""
    processed(store, held=7, quarantined=5, at=NOON - DAY)
    for number in range(4):
        say(store, f"tv {number}")
    say(store, "tv 0", client="other")
    say(store, "right tv", right=True)
    say(store, "held tv", held=True)
    for digit in "01":
        store.put(layout.feedback_event(NOON.date(), digit * 64), b"{")
    launched = []
    with caplog.at_level(logging.INFO):
        outcome = start(store, launched)
    assert launched == [(outcome.run, outcome.why)]
    assert lease.read(store)[0].run == outcome.run
    at = NOON.isoformat()
    assert state(store) == {
        "counted_at": at,
        "events": 7,
        "right": 1,
        "corrections": 6,
        "unusable": 2,
        "new": 4,
        "needed": 3,
        "due": True,
        "why": outcome.why,
        "held": 8,
        "quarantined": 5,
        "last": {"at": at, "started": True, "why": outcome.why, "run": outcome.run},
    }
    assert "was started" in caplog.text


def test_not_due_is_recorded_once(store, caplog):
    """When no run is due, log and store say why once, and no lease is taken."""
    say(store, "tv")
    with caplog.at_level(logging.INFO):
        start(store, launched := [])
        start(store, launched, now=NOON + timedelta(minutes=5))
    assert launched == []
    assert lease.read(store) == (None, None)
    assert state(store)["counted_at"] == NOON.isoformat()
    assert state(store)["last"]["started"] is False
    assert caplog.text.count("not started") == 1


def test_an_empty_store_stays_empty(store):
    """Without feedback, nothing is stored."""
    assert not start(store, []).started
    assert [*store.list("")] == []


@pytest.mark.parametrize("data", [b"", b"[]", b'{"last": 5}'])
def test_a_malformed_state_is_replaced(store, data):
    """The next decision replaces a malformed stored one."""
    store.put(layout.feedback_state(), data)
    start(store, [])
    assert state(store)["events"] == 0


def test_never_two_runs_at_once(store):
    """Of many simultaneous decisions exactly one starts a run; the others name that run."""
    for number in range(5):
        say(store, f"tv {number}")
    launched = []
    with ThreadPoolExecutor(8) as pool:
        outcomes = [*pool.map(lambda _: start(store, launched), range(16))]
    assert len(launched) == 1
    assert [outcome.started for outcome in outcomes].count(True) == 1
    late = start(store, launched)
    assert launched[0][0] in late.why
    assert len(launched) == 1


def test_a_run_that_ended_in_between_is_not_repeated(store):
    """The feedback is counted again under the lease, since a run may have ended in between."""
    hashes = [say(store, f"tv {number}") for number in range(3)]

    class Late(Counter):
        def __call__(self):
            count = super().__call__()
            processed(store, *hashes)
            return count

    launched = []
    outcome = start(store, launched, counter=Late(store))
    assert (launched, outcome.started) == ([], False)
    assert not lease.read(store)[0].holds(NOON)


def test_a_failed_launch_releases_the_lease(store):
    """When a launch fails, the reason is stored and the next attempt may begin at once."""
    for number in range(3):
        say(store, f"tv {number}")

    def refuse(_run, _why):
        raise CloudError("AWS said no.")

    with pytest.raises(CloudError):
        start_if_due(Counter(store), POLICY, refuse, holder="a test", clock=lambda: NOON)
    assert "AWS said no." in state(store)["last"]["why"]
    assert state(store)["last"]["started"] is False
    assert start(store, launched := []).started
    assert len(launched) == 1


def told(store, name, category, predicted):
    """Store a correction together with the prediction."""
    categories = {"category": NamedCategory(category), "predicted": NamedCategory(predicted)}
    record_feedback(store, new_event(Product(name), client="shop", now=NOON, **categories))


def test_fifty_that_agree_start_nothing(store):
    """Events that name the predicted category start no training; the state says why."""
    for number in range(50):
        told(store, f"tv {number}", "tvs", "tvs")
    outcome = start(store, launched := [])
    assert (outcome.started, launched) == (False, [])
    assert "0 products newly corrected" in outcome.why
    assert "50 new events agree with the model, which starts no training" in outcome.why
    assert (state(store)["new"], state(store)["right"], state(store)["corrections"]) == (0, 50, 0)
    assert not due(store, now=NOON + 1000 * DAY).due


def test_fifty_that_disagree_start_a_training(store):
    """Fifty events that name another category than the predicted one start a training job."""
    for number in range(50):
        told(store, f"tv {number}", "tvs", "radios")
    outcome = start_if_due(
        Counter(store), Policy(), lambda _run, _why: None, holder="a test", clock=lambda: NOON
    )
    assert outcome.started
    assert outcome.why == "Due: 50 products newly corrected; 50 are needed."


def test_agreement_does_not_hide_disagreement(store):
    """A product counts if any of its events disagrees with the model."""
    told(store, "tv", "tvs", "tvs")
    told(store, "TV", "projectors", "tvs")
    count = due(store).count
    assert (count.new, count.agreeing) == (1, 1)
    assert "1 new event agrees" in due(store).why


def test_nothing_new_is_not_due_however_old_the_last_training_is(store):
    """Without new corrections no training is due, even years after the last one."""
    processed(store, say(store, "tv"))
    say(store, "radio", right=True, at=NOON + DAY)
    decision = due(store, now=NOON + 1000 * DAY)
    assert (decision.due, decision.count.new) == (False, 0)
    assert "0 products newly corrected; 3 are needed" in decision.why


@pytest.mark.parametrize("order", [(0, 3), (3, 0)])
def test_the_oldest_correction_counts_where_nothing_was_trained(store, order):
    """The days without any training count from the first correction, not from the latest."""
    for days in order:
        say(store, f"tv {days}", at=NOON + days * DAY)
    assert due(store).count.oldest == NOON
    decision = due(store, now=NOON + 7 * DAY)
    assert decision.due
    assert "7.0 days since the first correction" in decision.why


def test_the_last_training_counts_not_the_oldest_correction(store):
    """A correction that is older than the last training waits for days after the training."""
    say(store, "tv", at=NOON - 30 * DAY)
    processed(store)
    early, late = due(store, now=NOON + 6 * DAY), due(store, now=NOON + 7 * DAY)
    assert (early.due, late.due) == (False, True)
    assert early.why.startswith("Not due: 1 product newly corrected of 3 needed")
    assert late.why.startswith("Due: 1 product newly corrected of 3 needed")


def test_a_model_published_after_the_last_count_puts_training_off(store):
    """The later of the last training's time and the model's publication counts."""
    say(store, "tv")
    processed(store, at=NOON - 30 * DAY)
    at = (NOON - DAY).isoformat()
    write_pointer(store, Pointer("v1", "", at), replacing=None)
    assert not due(store).due


@pytest.mark.parametrize("data", [b"{", b'{"version": "v1", "test_sha256": "", "published_at": 1}'])
def test_a_malformed_pointer_does_not_stop_the_decision(store, data):
    """With a malformed pointer, the last training that is known counts."""
    say(store, "tv")
    store.put(layout.current_model(), data)
    processed(store, at=NOON - 7 * DAY)
    assert due(store).due


def test_a_time_that_is_no_time_is_no_training(store):
    """A pointer whose time cannot be read says nothing of the last training."""
    say(store, "tv")
    write_pointer(store, Pointer("v1", "", "recently"), replacing=None)
    assert "since the first correction" in due(store).why


def test_unusable_objects_are_counted_and_logged(store, caplog):
    """An object that is no event is counted as unusable, stored so, and logged once with why."""
    say(store, "tv")
    store.put(layout.feedback_event(NOON.date(), "0" * 64), b"{")
    counter = Counter(store)
    with caplog.at_level(logging.WARNING):
        start(store, [], counter=counter)
        assert counter().unusable == 1
    assert state(store)["unusable"] == 1
    (record,) = caplog.records
    assert f"{'0' * 64}.json cannot be used" in record.getMessage()


def test_the_state_has_what_waits_for_a_person(store):
    """The stored state has the events held by the last training and since, and the quarantined."""
    processed(store, held=4, quarantined=5, at=NOON - DAY)
    say(store, "tv", held=True)
    start(store, [])
    assert (state(store)["held"], state(store)["quarantined"]) == (5, 5)


def test_an_interrupted_run_is_started_again(store, caplog):
    """A run is launched for an interrupted one, though its own lease is held by then."""
    caplog.set_level(logging.INFO)
    processed(store, say(store, "tv"))
    status(store, state="running", updated_at=NOON.isoformat())
    lease.take(store, "r0", "somebody", now=NOON, lasting=lease.RUNNING)
    outcome = start(store, launched := [], now=NOON + lease.RUNNING)
    assert launched == [(outcome.run, outcome.why)]
    assert outcome.why.startswith("Due: job r0 was interrupted. (0 products newly corrected.)")
    assert (state(store)["due"], state(store)["new"], state(store)["events"]) == (True, 0, 1)
    assert f"A training job was started. {outcome.why}" in caplog.text


def test_a_failed_run_is_started_again(store):
    """A run is launched for a failed one after 15 minutes, and the reason names the time."""
    processed(store, say(store, "tv"))
    ended = NOON + timedelta(microseconds=5)
    status(store, state="failed", finished_at=ended.isoformat())
    early = start(store, launched := [])
    assert (early.started, launched) == (False, [])
    again = "the next attempt may start at 2026-11-22T12:15:00+00:00."
    assert early.why.startswith(f"Not due yet: job r0 failed; {again}")
    assert start(store, launched, now=ended + timedelta(minutes=15)).started
    assert len(launched) == 1


@pytest.mark.parametrize("finished", ["soon", "9999-12-31T23:59:59+00:00"])
def test_a_failure_at_no_usable_time_is_ignored(store, finished):
    """A failed run whose end cannot be read, or lies at the end of time, decides nothing."""
    status(store, state="failed", finished_at=finished)
    assert not due(store).due
    for at in range(3):
        say(store, f"tv {at}")
    assert due(store).due


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"state": "exploded"}'])
def test_a_malformed_status_is_ignored(store, data):
    """A status that cannot be read neither stops the decision nor makes a training due."""
    store.put(layout.training_status(), data)
    assert not due(store).due
    for at in range(3):
        say(store, f"tv {at}")
    assert due(store).due


def test_the_reason_names_who_trains_and_until_when(store):
    """Where a run is under way, the reason has its name, its holder and the end of its lease."""
    for at in range(3):
        say(store, f"tv {at}")
    lease.take(store, "r7", "a laptop", now=NOON + timedelta(microseconds=5))
    outcome = start(store, launched := [], now=NOON + timedelta(minutes=1))
    assert (outcome.started, outcome.run, launched) == (False, None, [])
    assert "job r7 holds the lease" in outcome.why
    assert "2026-11-22T13:00:00+00:00" in outcome.why


def test_a_lost_race_for_the_lease_is_told(store):
    """Where another took the lease at the same moment and has given it back, the reason says so."""
    for at in range(3):
        say(store, f"tv {at}")
    put = store.put

    def refuse(key, data, **conditions):
        if key == layout.training_lock():
            raise PreconditionFailedError("Somebody was faster.")
        return put(key, data, **conditions)

    store.put = refuse
    outcome = start(store, launched := [])
    assert (outcome.started, launched) == (False, [])
    assert "Another process took the lease first" in outcome.why


def test_the_state_is_told_to_the_second(store):
    """Stored times have no fractions of a second."""
    say(store, "tv")
    start(store, [], now=NOON + timedelta(microseconds=5))
    assert state(store)["counted_at"] == state(store)["last"]["at"] == NOON.isoformat()


def test_a_run_that_ended_in_between_frees_its_lease_and_tells(store):
    """After the second count, the state says that nothing is due, and no run is named."""
    hashes = [say(store, f"tv {at}") for at in range(3)]

    class Late(Counter):
        def __call__(self):
            count = super().__call__()
            processed(store, *hashes)
            return count

    outcome = start(store, [], counter=Late(store))
    assert outcome.run is None
    assert outcome.why.startswith("Not due: 0 products newly corrected")
    assert (state(store)["due"], state(store)["last"]["run"]) == (False, None)


def test_the_usual_policy():
    """Without settings, 50 products, or any after seven days, make a training due."""
    assert Policy() == Policy(needed=50, days=7)


def test_the_usual_clock_tells_utc(store):
    """Without a clock of its own, a decision is stored with the present time in UTC."""
    say(store, "tv")
    before = datetime.now(UTC).replace(microsecond=0)
    start_if_due(Counter(store), POLICY, lambda _run, _why: None, holder="a test")
    counted = datetime.fromisoformat(state(store)["counted_at"])
    assert counted.utcoffset() == timedelta(0)
    assert before <= counted <= datetime.now(UTC)
