"""What the stages of a training hand on: each part is made in this process, or loaded once."""

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
    """The parts of the latest training on a store, by the ids that the stages give.

    A stage keeps what it made; where the stage was done before, by a process that was killed or by
    `aisle stage`, the part comes from the store. Content stands for every id, so that a part that
    is known need not be read again.
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
        """Keep what is known of a snapshot."""
        self._snapshot = snapshot

    def snapshot(self, snapshot_id: str) -> Snapshot:
        """Return what is known of a snapshot."""
        if self._snapshot is None or self._snapshot.id != snapshot_id:
            self._snapshot = snapshot_facts(self._store, snapshot_id)
        return self._snapshot

    def rows(self, snapshot_id: str) -> tuple[SnapshotRow, ...]:
        """Read a snapshot's rows; of them, the products of new feedback alone are kept."""
        self._snapshot, found = read_snapshot(self._store, snapshot_id)
        rows = tuple(found)
        self._keep_new(snapshot_id, rows)
        return rows

    def new_feedback(self, snapshot_id: str) -> tuple[Example, ...]:
        """Return the products of a snapshot that people newly said something of."""
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
        """Return a build, whose parts are loaded as they are asked for."""
        if self._build is None or self._build.id != build_id:
            self._build = Build(self._store, build_id)
        return self._build

    def serving(self) -> Contender:
        """Return the model that serves, the packaged one where the store has published none.

        Raises BundleError where it cannot be read.
        """
        found = read_pointer(self._store)
        return self.published(self._store, found[0].version) if found else self.packaged()

    def packaged(self) -> Contender:
        """Return the packaged model."""
        if self._packaged is None:
            self._packaged = Contender(bundle.read(bundle.PACKAGED))
        return self._packaged

    def known(self, version: str) -> Classifier:
        """Return what a model answers by, the packaged one or any that was published here.

        Of those, the one that serves is kept. Raises BundleError where it cannot be read.
        """
        if version == packaged_version():
            return self.packaged().classifier
        found = read_pointer(self._store)
        if found is not None and found[0].version == version:
            return self.published(self._store, version).classifier
        return fetch_contender(self._store, version).classifier

    def published(self, store: Store, version: str) -> Contender:
        """Return a published model; raise BundleError where it cannot be read."""
        if self._champion is None or self._champion.version != version:
            self._champion = fetch_contender(store, version)
        return self._champion


class Build:
    """A model on its way to the gate, by the id that data and parameters give it.

    The stages `keep` what they make, here and in the store. Raises DataError for a part that no
    stage has made yet.
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
        """The exported bundle; it tells its figures where it was evaluated."""
        return Contender(builds.load_bundle(self._store, self.id))

    @cached_property
    def parity(self) -> float:
        """How far the bundle's probabilities are from the trained model's."""
        return builds.load_parity(self._store, self.id)

    @cached_property
    def judged(self) -> tuple[Judgement, dict[str, Any]]:
        """What the gate found, and the facts of its report."""
        return builds.load_judgement(self._store, self.id)

    def keep_fitted(self, trained: TrainedModel, prepared_id: str) -> None:
        """Keep a trained model."""
        builds.save_trained(self._store, self.id, trained, prepared_id)
        self.fitted = (trained, prepared_id)

    def keep_exported(self, exported: Contender, parity: float) -> None:
        """Keep a bundle, and how far it is from the trained model."""
        builds.save_bundle(self._store, self.id, exported.bundle, parity=parity)
        self.contender, self.parity = exported, parity

    def keep_evaluated(self, metrics: bytes, model_card: str) -> None:
        """Keep what the bundle tells of itself."""
        whole = self.contender.bundle
        builds.save_evaluation(self._store, self.id, whole, metrics=metrics, model_card=model_card)
        self.contender.describe({bundle.METRICS: metrics, bundle.MODEL_CARD: model_card.encode()})

    def keep_judged(self, judgement: Judgement, facts: dict[str, Any]) -> None:
        """Keep what the gate found."""
        builds.save_judgement(self._store, self.id, judgement, facts)
        self.judged = (judgement, facts)
