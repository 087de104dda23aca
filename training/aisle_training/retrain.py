"""Retrain on the catalogue and all feedback on it."""

from dataclasses import asdict

from aisle.errors import DataError, PublicationRefusedError
from aisle.progress import say
from aisle.registry import audit
from aisle.registry.audit import Occasion
from aisle.store import Store
from aisle_training.builds import stage
from aisle_training.data.fetch import open_data_set
from aisle_training.data.ingest import Snapshot, ingest, snapshot_facts
from aisle_training.data.ingest_feedback import (
    agreeing,
    find_base,
    ingest_feedback,
    learnt,
    serving_snapshot,
)
from aisle_training.job import TrainingJob
from aisle_training.parameters import Parameters
from aisle_training.pipeline import Trainer
from aisle_training.release.publish import Verdict


def retrain(  # noqa: PLR0913  # who retrains, why and on what are separate inputs
    store: Store,
    parameters: Parameters,
    *,
    why: str,
    run: str | None = None,
    who: str | None = None,
    data: str | None = None,
) -> Verdict:
    """Train on the catalogue and all feedback, and publish through the gate.

    A training job that was killed resumes with the feedback it had then; `run` is its id. Where the
    store has no catalogue yet, ingests `data` first, or the open data set. Takes no lock.

    Raises PublicationRefusedError where the gate refuses the model, or the feedback has nothing
    that the model that serves has not learnt; DataError where there is no catalogue.
    """
    request = {"retrain": asdict(parameters), "data": data}
    job = TrainingJob.start(store, request, run=run)
    occasion = Occasion(who or audit.user(), why, job.id)
    trainer = Trainer(store, parameters, job, occasion)
    with job.working():
        snapshot = trainer.once("ingest", lambda: _ingest(trainer, data))
        if job.result("gate") is None:  # once judged, the model that serves may be this one
            _refuse_nothing_new(store, snapshot_facts(store, snapshot))
        return trainer.train_on(snapshot)


def _ingest(trainer: Trainer, data: str | None) -> str:
    with stage("ingest") as report:
        base = find_base(trainer.store) or _first_base(trainer.store, data)
        occasion = trainer.occasion
        settings = trainer.parameters
        snapshot = ingest_feedback(
            trainer.store,
            base,
            settings.feedback,
            settings.prepare,
            champion=lambda: trainer.artefacts.serving().classifier,
            known_model=trainer.artefacts.known,
            run=str(occasion.run),
            why=occasion.why,
        )
        trainer.artefacts.keep_snapshot(snapshot)
        report(
            f"snapshot {snapshot.id}: snapshot {base.id} of {base.products} products, with feedback"
        )
    return snapshot.id


def _refuse_nothing_new(store: Store, snapshot: Snapshot) -> None:
    """Refuse to train where the model that serves has learnt all accepted feedback already.

    Accepted feedback that agrees with this model has nothing to teach it either.
    """
    champion = serving_snapshot(store)
    if champion is None or snapshot.feedback is None:
        return
    before, now = learnt(champion), learnt(snapshot)
    new, agree = now - before, agreeing(store, snapshot)
    if (champion.base or champion.id) == snapshot.base and before <= now and new <= agree:
        agreed = f" {len(new)} of these are new, and agree with the model." if new else ""
        states = ", ".join(f"{n} {state}" for state, n in snapshot.feedback["states"].items())
        raise PublicationRefusedError(
            "No model was trained: there is nothing to learn that the serving model does not "
            f"know. Feedback events: {states or 'none'}.{agreed} Expected accepted corrections "
            "that disagree with the model. To list the feedback that waits for a review, run "
            "aisle feedback review list."
        )


def _first_base(store: Store, data: str | None) -> Snapshot:
    say(f"{store.url} has no catalogue yet: ingesting one first.")
    try:
        return ingest(store, open_data_set() if data is None else data)
    except DataError as error:
        raise DataError(
            f"There is no catalogue to retrain on. {error} Feedback adds to a shop's catalogue: "
            "train on that once with aisle train --data FILE."
        ) from error
