"""Train again, on the catalogue and on what people said since."""

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


def retrain(  # noqa: PLR0913  # each says something else of the occasion
    store: Store,
    parameters: Parameters,
    *,
    why: str,
    run: str | None = None,
    who: str | None = None,
    data: str | None = None,
) -> Verdict:
    """Learn from all feedback there is; publish through the gate.

    A run that was killed goes on where it was, with the feedback that it had then. Where the store
    has no catalogue yet, `data` is ingested first, or the open data set. Takes no lock. Raises
    PublicationRefusedError where the gate refuses the model, or there is nothing to learn that the
    model that serves does not know; DataError where there is no catalogue.
    """
    request = {"retrain": asdict(parameters), "data": data}
    job = TrainingJob.start(store, request, run=run)
    occasion = Occasion(who or audit.user(), why, job.id)
    trainer = Trainer(store, parameters, job, occasion)
    with job.working():
        snapshot = trainer.once("ingest", lambda: _ingest(trainer, data))
        if job.result("gate") is None:  # later, what serves may be this very model
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
        report(f"snapshot {snapshot.id}: feedback on {base.products} products of {base.id}")
    return snapshot.id


def _refuse_nothing_new(store: Store, snapshot: Snapshot) -> None:
    """Refuse to train where no feedback says something that the model that serves does not know.

    That is where it was trained on all that is believed, but for what agrees with it.
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
            f"No model was trained: there is nothing to learn that the model that serves does not "
            f"know. Of the feedback, {states or 'nothing is there'}.{agreed} Expected corrections "
            "that disagree with the model and can be believed; see aisle feedback review list for "
            "those that wait for a person."
        )


def _first_base(store: Store, data: str | None) -> Snapshot:
    say(f"There is no catalogue in {store.url} yet: it is ingested first.")
    try:
        return ingest(store, open_data_set() if data is None else data)
    except DataError as error:
        raise DataError(
            f"There is nothing to retrain on. {error} Feedback is learnt on top of a shop's "
            "catalogue: train on it once with aisle train --data FILE."
        ) from error
