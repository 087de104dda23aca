"""What the stages pass on: each artefact is made in this process, or loaded from the store once."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any

from aisle.model import bundle
from aisle.model.classifier import Classifier
from aisle.registry.pointer import read_pointer
from aisle.registry.reports import packaged_version
from aisle.store import Store
from aisle_training import builds
from aisle_training.data.ingest import Snapshot, SnapshotRow, read_snapshot, snapshot_facts
from aisle_training.data.prepare import Example, Prepared, new_feedback, read_prepared
from aisle_training.fit.fit import TrainedModel
from aisle_training.release.contender import Contender, fetch_contender
from aisle_training.release.gate import Judgement


class Artefacts:
    """A cache of the latest artefacts of a store, by the ids that the stages return.

    A stage keeps its result here. Where another process ran the stage (a training job that was
    killed, or `aisle stage`), the artefact comes from the store. Ids are content hashes, so a
    cached artefact is never stale.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._snapshot: Snapshot | None = None
        self._new: tuple[str, tuple[Example, ...]] | None = None
        self._prepared: Prepared | None = None
        self._build: Build | None = None
        self._champion: Contender | None = None
        self._packaged: Contender | None = None

    def keep_snapshot(self, snapshot: Snapshot) -> None:
        """Keep the facts of a snapshot."""
        self._snapshot = snapshot

    def snapshot(self, snapshot_id: str) -> Snapshot:
        """Return the facts of a snapshot."""
        if self._snapshot is None or self._snapshot.id != snapshot_id:
            self._snapshot = snapshot_facts(self._store, snapshot_id)
        return self._snapshot

    def rows(self, snapshot_id: str) -> tuple[SnapshotRow, ...]:
        """Read a snapshot's rows; keep only the products with new feedback."""
        self._snapshot, stored_rows = read_snapshot(self._store, snapshot_id)
        rows = tuple(stored_rows)
        self._keep_new(snapshot_id, rows)
        return rows

    def new_feedback(self, snapshot_id: str) -> tuple[Example, ...]:
        """Return the products of a snapshot with new feedback, labelled by it."""
        if self.snapshot(snapshot_id).feedback is None:
            return ()
        if self._new is None or self._new[0] != snapshot_id:
            return self._keep_new(snapshot_id, self.rows(snapshot_id))
        return self._new[1]

    def _keep_new(self, snapshot_id: str, rows: Iterable[SnapshotRow]) -> tuple[Example, ...]:
        new = tuple(new_feedback(rows))
        self._new = (snapshot_id, new)
        return new

    def keep_prepared(self, prepared: Prepared) -> None:
        """Keep a prepared set."""
        self._prepared = prepared

    def prepared(self, prepared_id: str) -> Prepared:
        """Return a prepared set."""
        if self._prepared is None or self._prepared.id != prepared_id:
            self._prepared = read_prepared(self._store, prepared_id)
        return self._prepared

    def build(self, build_id: str) -> "Build":
        """Return a build, whose parts are loaded on first use."""
        if self._build is None or self._build.id != build_id:
            self._build = Build(self._store, build_id)
        return self._build

    def serving(self) -> Contender:
        """Return the model that serves: the published one, else the packaged one.

        Raises BundleError where it cannot be read.
        """
        current = read_pointer(self._store)
        return self.published(self._store, current[0].version) if current else self.packaged()

    def packaged(self) -> Contender:
        """Return the packaged model."""
        if self._packaged is None:
            self._packaged = Contender(bundle.read(bundle.PACKAGED))
        return self._packaged

    def known(self, version: str) -> Classifier:
        """Return the classifier of the packaged model or of any model published in the store.

        Keeps only the one that serves. Raises BundleError where it cannot be read.
        """
        if version == packaged_version():
            return self.packaged().classifier
        current = read_pointer(self._store)
        if current is not None and current[0].version == version:
            return self.published(self._store, version).classifier
        return fetch_contender(self._store, version).classifier

    def published(self, store: Store, version: str) -> Contender:
        """Return a published model; raise BundleError where it cannot be read."""
        if self._champion is None or self._champion.version != version:
            self._champion = fetch_contender(store, version)
        return self._champion


class Build:
    """A model on its way to the gate; its id is a hash of its data and parameters.

    The stages `keep` their results here and in the store. Reading a part raises DataError where no
    stage has made it yet, MalformedObjectError where it is damaged.
    """

    def __init__(self, store: Store, build_id: str) -> None:
        self._store = store
        self.id = build_id

    @cached_property
    def fitted(self) -> tuple[TrainedModel, str]:
        """The trained model, and the id of the prepared data that it was fitted on."""
        return builds.load_trained(self._store, self.id)

    @cached_property
    def contender(self) -> Contender:
        """The exported bundle, with its metrics and model card once it has been evaluated."""
        return Contender(builds.load_bundle(self._store, self.id))

    @cached_property
    def parity(self) -> float:
        """The largest difference of the bundle's probabilities from the trained model's."""
        return builds.load_parity(self._store, self.id)

    @cached_property
    def judged(self) -> tuple[Judgement, dict[str, Any]]:
        """The gate's judgement and the facts of its report."""
        return builds.load_judgement(self._store, self.id)

    def keep_fitted(self, trained: TrainedModel, prepared_id: str) -> None:
        """Keep a trained model."""
        builds.save_trained(self._store, self.id, trained, prepared_id)
        self.fitted = (trained, prepared_id)

    def keep_exported(self, exported: Contender, parity: float) -> None:
        """Keep a bundle and its parity with the trained model."""
        builds.save_bundle(self._store, self.id, exported.bundle, parity=parity)
        self.contender, self.parity = exported, parity

    def keep_evaluated(self, metrics: bytes, model_card: str) -> None:
        """Keep the bundle's metrics and model card."""
        builds.save_evaluation(
            self._store, self.id, self.contender.bundle, metrics=metrics, model_card=model_card
        )
        self.contender.describe({bundle.METRICS: metrics, bundle.MODEL_CARD: model_card.encode()})

    def keep_judged(self, judgement: Judgement, facts: dict[str, Any]) -> None:
        """Keep the gate's judgement and the facts of its report."""
        builds.save_judgement(self._store, self.id, judgement, facts)
        self.judged = (judgement, facts)
