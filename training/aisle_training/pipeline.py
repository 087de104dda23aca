"""The stages in their order, each leaving what the next one needs in the store."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path as FilePath
from typing import Any, Final

from aisle.catalogue.columns import Columns
from aisle.catalogue.products import LabelledProduct
from aisle.catalogue.records import DEFAULT_COLUMNS
from aisle.errors import (
    BundleError,
    DataError,
    PreconditionFailedError,
    PublicationRefusedError,
)
from aisle.model.bundle import METRICS, Bundle
from aisle.model.classifier import Classifier
from aisle.model.golden import replay
from aisle.product import own_ids
from aisle.progress import say
from aisle.registry import audit, bundles
from aisle.registry.audit import Occasion
from aisle.registry.pointer import read_pointer
from aisle.store import Store
from aisle_training import builds
from aisle_training.data.ingest import Snapshot, ingest, rejects_address, snapshot_facts
from aisle_training.data.prepare import Example, new_feedback, prepare, read_prepared
from aisle_training.fit.fit import fit
from aisle_training.job import STAGES, TrainingJob
from aisle_training.parameters import Parameters
from aisle_training.release import card, gate, measure, report
from aisle_training.release.drift import drift
from aisle_training.release.evaluate import evaluate
from aisle_training.release.export import check_parity, export
from aisle_training.release.gate import Check, GateInput, Judgement
from aisle_training.release.publish import Verdict, publish

# Somebody else may publish between the gate and the pointer; then the gate looks again.
_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True)
class Trainer:
    """The training job on a store. Every stage may be run alone, by the id the one before gave.

    With a `run`, stages that it has finished are not done again, and others see how it gets on.
    """

    store: Store
    parameters: Parameters
    run: TrainingJob | None = None
    occasion: Occasion = field(default_factory=lambda: Occasion(audit.user(), "aisle train"))

    def train(
        self,
        data: str | FilePath,
        *,
        test_data: str | FilePath | None = None,
        columns: Columns = DEFAULT_COLUMNS,
    ) -> Verdict:
        """Run all stages; raise DataError for data that cannot be used.

        Raises PublicationRefusedError where the gate refuses the model; the store then serves what
        it served before.
        """
        # Always: under the same name there may be another catalogue now.
        began = time.monotonic()
        if self.run is not None:
            self.run.begin("ingest")
        snapshot = self.ingest(data, test_data=test_data, columns=columns)
        if self.run is not None:
            if self.run.result("ingest") != snapshot:
                self.run.forget(*STAGES)
            self.run.done("ingest", snapshot, time.monotonic() - began)
        return self.train_on(snapshot)

    def train_on(self, snapshot: str) -> Verdict:
        """Run all stages but the first."""
        prepared = self.once("prepare", lambda: self.prepare(snapshot))
        run = self.once("fit", lambda: self.fit(prepared))
        self.once("export", lambda: self.export(run))
        self.once("evaluate", lambda: self.evaluate(run) and True)
        for attempt in range(_ATTEMPTS):
            self.once("gate", lambda: self.gate(run))
            try:
                return self._published(run)
            except PreconditionFailedError:
                if attempt == _ATTEMPTS - 1:
                    raise
                say("Somebody else has published since the gate looked: it looks again.")
                if self.run is not None:
                    self.run.forget("gate")
        raise AssertionError  # the last attempt has returned or raised

    def _published(self, run: str) -> Verdict:
        """Publish; also where the run did so before, to give the same verdict or mend a file."""
        if self.run is None:
            return self.publish(run)
        self.run.begin("publish")
        began = time.monotonic()
        verdict = self.publish(run)
        self.run.done("publish", verdict.version, time.monotonic() - began)
        return verdict

    def once(self, stage: str, work: Callable[[], Any]) -> Any:  # noqa: ANN401  # plain data
        """Do a stage, unless the run has finished it before; return what it came to."""
        if self.run is None:
            return work()
        known = self.run.result(stage)
        if known is not None:
            say(f"{stage}: done before.")
            return known
        self.run.begin(stage)
        began = time.monotonic()
        result = work()
        self.run.done(stage, result, time.monotonic() - began)
        return result

    def ingest(
        self,
        data: str | FilePath,
        *,
        test_data: str | FilePath | None = None,
        columns: Columns = DEFAULT_COLUMNS,
    ) -> str:
        """Write the catalogue to the store; return the snapshot's id."""
        with builds.stage("ingest") as report:
            snapshot = ingest(self.store, data, test_data=test_data, columns=columns)
            report(f"snapshot {snapshot.id} of {snapshot.products} products")
            for source in snapshot.sources:
                skipped = ", ".join(f"{count} {why}" for why, count in source["skipped"].items())
                if skipped:
                    say(f"{source['file']}: rows left out: {skipped}.")
            if snapshot.rejected:
                say(f"They are in {rejects_address(self.store, snapshot)}, each with its line.")
        return snapshot.id

    def prepare(self, snapshot_id: str) -> str:
        """Clean and split a snapshot; return the prepared data's id."""
        with builds.stage("prepare") as report:
            prepared = prepare(self.store, snapshot_id, self.parameters.prepare)
            report(
                f"{prepared.id}: {len(prepared.train)} products to train on, "
                f"{len(prepared.validation)} for validation, {len(prepared.test)} to test"
            )
        return prepared.id

    def fit(self, prepared_id: str) -> str:
        """Choose and fit a model; return the run's id."""
        with builds.stage("fit") as report:
            prepared = read_prepared(self.store, prepared_id)
            trained = fit(prepared, self.parameters)
            run = builds.run_id(prepared.id, self.parameters)
            builds.save_trained(self.store, run, trained, prepared_id)
            report(
                f"run {run}: {len(trained.taxonomy.classes)} classes, "
                f"{len(trained.vocabulary.terms)} terms"
            )
        return run

    def export(self, run: str) -> str:
        """Write a run's bundle and prove that it equals the trained model; return its version."""
        with builds.stage("export") as report:
            trained, prepared_id = builds.load_trained(self.store, run)
            prepared = read_prepared(self.store, prepared_id)
            exported = export(trained, prepared, self.parameters)
            classifier = Classifier(exported)
            products = [example.product for example in (*prepared.validation, *prepared.test)]
            difference = check_parity(trained, classifier, products)
            try:
                examples = replay(exported, classifier)
            except BundleError as error:
                raise PublicationRefusedError(
                    f"The exported model was not kept. {error}"
                ) from error
            builds.save_bundle(self.store, run, exported, parity=difference)
            report(
                f"model {exported.manifest.model_version}, {_megabytes(exported):.1f} MB; equals "
                f"the trained model within {difference:.1g} on {len(products)} products; "
                f"{examples} golden examples"
            )
        return exported.manifest.model_version

    def evaluate(self, run: str) -> dict[str, Any]:
        """Score a run's bundle on the frozen test, for the bundle to tell."""
        with builds.stage("evaluate") as report:
            exported = builds.load_bundle(self.store, run)
            trained, prepared_id = builds.load_trained(self.store, run)
            test = _labelled(read_prepared(self.store, prepared_id).test)
            metrics = evaluate(Classifier(exported), test)
            choice = trained.choice
            told = builds.to_json({"test": metrics, "choice": asdict(choice)})
            text = card.model_card(exported, choice, metrics)
            builds.save_evaluation(self.store, run, exported, metrics=told, model_card=text)
            levels = ", ".join(f"{level['accuracy']:.4f}" for level in metrics["levels"])
            report(f"accuracy on {metrics['rows']} test products, level by level: {levels}")
        return metrics

    def gate(self, run: str) -> dict[str, Any]:
        """Judge a run's bundle, and write down what was found; return it in short."""
        with builds.stage("gate") as report:
            exported, metrics = self._evaluated(run)
            _, prepared_id = builds.load_trained(self.store, run)
            prepared = read_prepared(self.store, prepared_id)
            evidence = GateInput(
                prepared.test, prepared.heldout, builds.load_parity(self.store, run)
            )
            judgement = gate.judge(self.store, exported, evidence, self.parameters.gate)
            facts = self._facts(exported, metrics, judgement, prepared_id)
            builds.save_judgement(self.store, run, judgement, facts)
            against = f"champion {judgement.champion}" if judgement.champion else "no champion"
            report(f"{_told(judgement.checks)} (against {against})")
        return {"version": judgement.version, "passed": judgement.passed}

    def publish(self, run: str) -> Verdict:
        """Let a run's bundle serve; raise PublicationRefusedError where the gate refused it.

        A judgement that somebody else's publication has made old counts for nothing: the gate looks
        again.
        """
        if self._outdated(run):
            self.gate(run)
        with builds.stage("publish") as report_done:
            exported, _ = self._evaluated(run)
            judgement, facts = builds.load_judgement(self.store, run)
            files = report.files(facts, judgement)
            verdict = publish(self.store, exported, judgement, files, self.occasion)
            against = f"against champion {verdict.champion}" if verdict.champion else "no champion"
            report_done(f"model {verdict.version} serves from {self.store.url} ({against})")
        return verdict

    def _outdated(self, run: str) -> bool:
        judgement, _ = builds.load_judgement(self.store, run)
        try:
            found = read_pointer(self.store)
        except BundleError:
            return False  # what cannot be read has the ETag that the gate saw, or the write fails
        serves = found is not None and found[0].version == judgement.version
        return not serves and (found[1] if found else None) != judgement.etag

    def _evaluated(self, run: str) -> tuple[Bundle, dict[str, Any]]:
        exported = builds.load_bundle(self.store, run)
        metrics: dict[str, Any] | None = exported.json(METRICS).get("test")
        if metrics is None:
            raise DataError(
                f"Run {run} has no figures on the frozen test yet, which the gate goes by. Run the "
                "evaluate stage first."
            )
        return exported, metrics

    def _facts(
        self, exported: Bundle, metrics: dict[str, Any], judgement: Judgement, prepared_id: str
    ) -> dict[str, Any]:
        """Return what the report tells beside the checks."""
        prepared = read_prepared(self.store, prepared_id)
        classifier = Classifier(exported)
        dataset = exported.manifest.dataset
        snapshot = snapshot_facts(self.store, dataset["snapshot"])
        champion = None
        if judgement.champion:
            champion = bundles.fetch_bundle(self.store, judgement.champion)
        asked = champion or exported
        sample = prepared.test or prepared.validation
        new = new_feedback(self.store, snapshot.id)
        return {
            "version": judgement.version,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "state": "published" if judgement.passed else "refused",
            "why": "; ".join(judgement.reasons) or "It passed the gate.",
            "run": self.occasion.run,
            "occasion": self.occasion.why,
            "accuracy": metrics["leaf"]["accuracy"],
            "classes": len(classifier.taxonomy.classes),
            "products": dataset["products"]["train"] + dataset["products"]["validation"],
            "snapshot": snapshot.id,
            "test_sha256": dataset["test_sha256"],
            "feedback": _feedback(snapshot),
            "drift": drift(asked, Classifier(asked), sample, new),
            "git_commit": builds.git_commit(),
            "parameters": asdict(self.parameters),
            "metrics": metrics,
            "champion": champion.json(METRICS).get("test") if champion else None,
            **report.quality(measure.answers(classifier, prepared.test), prepared.test),
        }


def _feedback(snapshot: Snapshot) -> dict[str, Any] | None:
    """Return what became of the feedback of a snapshot, in numbers."""
    told = snapshot.feedback
    return {name: told[name] for name in ("states", "contradictions", "products")} if told else None


def _told(checks: Sequence[Check]) -> str:
    failed = [check.name for check in checks if check.passed is False]
    asked = sum(check.passed is not None for check in checks)
    return (
        f"{len(failed)} of {asked} checks failed: {', '.join(failed)}"
        if failed
        else (f"all {asked} checks passed")
    )


def _labelled(examples: Sequence[Example]) -> list[LabelledProduct]:
    return [LabelledProduct(one.product, one.path, own_ids(one.path)) for one in examples]


def _megabytes(whole: Bundle) -> float:
    return sum(map(len, whole.files.values())) / 1e6
