"""The training pipeline: stages in order, each of which leaves its result in the store."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
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
)
from aisle.model.bundle import METRICS, Bundle
from aisle.product import own_ids
from aisle.progress import say
from aisle.registry import audit
from aisle.registry.audit import Occasion
from aisle.registry.pointer import read_pointer
from aisle.store import Store
from aisle_training import builds
from aisle_training.artefacts import Artefacts, Build
from aisle_training.data.ingest import Snapshot, ingest, rejects_address
from aisle_training.data.prepare import Example, Prepared, prepare
from aisle_training.figures import to_json
from aisle_training.fit.fit import fit
from aisle_training.job import STAGES, TrainingJob
from aisle_training.parameters import Parameters
from aisle_training.release import card, gate, report
from aisle_training.release.drift import drift
from aisle_training.release.evaluate import figures
from aisle_training.release.export import check_parity, export
from aisle_training.release.gate import Check, GateInput, Judgement
from aisle_training.release.publish import Verdict, publish

# Another model may be published between the gate and the pointer; then the gate runs again.
_ATTEMPTS: Final = 3


class Trainer:
    """The stages on a store, in sequence or one at a time by the id that the previous one returned.

    With a `job`, finished stages do not run again, and others can follow the progress. A stage
    takes the result of the previous one from this process, else from the store.
    """

    def __init__(
        self,
        store: Store,
        parameters: Parameters,
        job: TrainingJob | None = None,
        occasion: Occasion | None = None,
    ) -> None:
        self.store = store
        self.parameters = parameters
        self.job = job
        self.occasion = occasion or Occasion(audit.user(), "aisle train")
        self.artefacts = Artefacts(store)

    def train(
        self,
        data: str | FilePath,
        *,
        test_data: str | FilePath | None = None,
        columns: Columns = DEFAULT_COLUMNS,
    ) -> Verdict:
        """Run all stages.

        Raises DataError for data that cannot be used, and PublicationRefusedError where the gate
        refuses the model; the champion then serves on.
        """
        # Ingest always runs: the file may have changed under the same name.
        began = time.monotonic()
        if self.job is not None:
            self.job.begin("ingest")
        snapshot = self.ingest(data, test_data=test_data, columns=columns)
        if self.job is not None:
            if self.job.result("ingest") != snapshot:
                self.job.forget(*STAGES)
            self.job.done("ingest", snapshot, time.monotonic() - began)
        return self.train_on(snapshot)

    def train_on(self, snapshot: str) -> Verdict:
        """Run all stages after ingest."""
        prepared = self.once("prepare", lambda: self.prepare(snapshot))
        build = self.once("fit", lambda: self.fit(prepared))
        self.once("export", lambda: self.export(build))
        self.once("evaluate", lambda: self.evaluate(build) and True)
        for attempt in range(_ATTEMPTS):
            self.once("gate", lambda: self.gate(build))
            try:
                return self._published(build)
            except PreconditionFailedError:
                if attempt == _ATTEMPTS - 1:
                    raise
                say("Another model was published after the gate ran: running the gate again.")
                if self.job is not None:
                    self.job.forget("gate")
        raise AssertionError  # the last attempt has returned or raised

    def _published(self, build: str) -> Verdict:
        """Publish; a job that did so before gets the same verdict, and lost files are restored."""
        if self.job is None:
            return self.publish(build)
        self.job.begin("publish")
        began = time.monotonic()
        verdict = self.publish(build)
        self.job.done("publish", verdict.version, time.monotonic() - began)
        return verdict

    def once(self, stage: str, work: Callable[[], Any]) -> Any:  # noqa: ANN401  # plain data
        """Run a stage unless the job has finished it already; return its result."""
        if self.job is None:
            return work()
        finished = self.job.result(stage)
        if finished is not None:
            say(f"{stage}: already done.")
            return finished
        self.job.begin(stage)
        began = time.monotonic()
        result = work()
        self.job.done(stage, result, time.monotonic() - began)
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
            self.artefacts.keep_snapshot(snapshot)
            report(f"snapshot {snapshot.id} of {snapshot.products} products")
            for source in snapshot.sources:
                skipped = ", ".join(f"{count} {why}" for why, count in source["skipped"].items())
                if skipped:
                    say(f"{source['file']}: rows left out: {skipped}.")
            if snapshot.rejected:
                say(f"See {rejects_address(self.store, snapshot)} for these rows and their lines.")
        return snapshot.id

    def prepare(self, snapshot_id: str) -> str:
        """Clean and split a snapshot; return the prepared set's id."""
        with builds.stage("prepare") as report:
            rows = self.artefacts.rows(snapshot_id)
            snapshot = self.artefacts.snapshot(snapshot_id)
            prepared = prepare(self.store, snapshot, rows, self.parameters.prepare)
            self.artefacts.keep_prepared(prepared)
            report(
                f"prepared set {prepared.id}: {len(prepared.train)} products to train on, "
                f"{len(prepared.validation)} to validate on, {len(prepared.test)} to test on"
            )
        return prepared.id

    def fit(self, prepared_id: str) -> str:
        """Select and fit a model; return the build's id."""
        with builds.stage("fit") as report:
            trained = fit(self.artefacts.prepared(prepared_id), self.parameters.learning)
            build = builds.build_id(prepared_id, asdict(self.parameters))
            self.artefacts.build(build).keep_fitted(trained, prepared_id)
            report(
                f"build {build}: {len(trained.taxonomy.classes)} classes, "
                f"a vocabulary of {len(trained.vocabulary.terms)}"
            )
        return build

    def export(self, build_id: str) -> str:
        """Write a build's bundle, check its parity with the trained model; return its version."""
        with builds.stage("export") as report:
            build = self.artefacts.build(build_id)
            trained, prepared_id = build.fitted
            prepared = self.artefacts.prepared(prepared_id)
            exported = export(trained, prepared, self.parameters.export)
            products = [example.product for example in (*prepared.validation, *prepared.test)]
            difference = check_parity(trained, exported.classifier, products)
            build.keep_exported(exported, difference)
            report(
                f"model {exported.version}, {_megabytes(exported.bundle):.1f} MB; its "
                f"probabilities on {len(products)} products differ from the trained model's by at "
                f"most {difference:.1g}"
            )
        return exported.version

    def evaluate(self, build_id: str) -> dict[str, Any]:
        """Score a build's bundle on the frozen test; write its metrics and model card."""
        with builds.stage("evaluate") as report:
            build = self.artefacts.build(build_id)
            exported = build.contender
            trained, prepared_id = build.fitted
            test = self.artefacts.prepared(prepared_id).test
            metrics = figures(
                exported.classifier,
                exported.answers(test),
                _labelled(test),
                folding=exported.folding,
            )
            metrics_json = to_json({"test": metrics, "choice": asdict(trained.choice)})
            model_card = card.model_card(exported.bundle, trained.choice, metrics)
            build.keep_evaluated(metrics_json, model_card)
            levels = ", ".join(f"{level['accuracy']:.4f}" for level in metrics["levels"])
            report(f"accuracy on {metrics['rows']} test products, by level: {levels}")
        return metrics

    def gate(self, build_id: str) -> dict[str, Any]:
        """Judge a build's bundle and write the judgement down; return a summary of it."""
        with builds.stage("gate") as report:
            build = self.artefacts.build(build_id)
            metrics = _metrics(build)
            _, prepared_id = build.fitted
            prepared = self.artefacts.prepared(prepared_id)
            evidence = GateInput(prepared.test, prepared.heldout, build.parity)
            settings, fetch = self.parameters.gate, self.artefacts.published
            judgement = gate.judge(self.store, build.contender, evidence, settings, fetch)
            build.keep_judged(judgement, self._facts(build, metrics, judgement, prepared))
            champion = judgement.champion
            against = f"against champion {champion}" if champion else "no champion"
            report(f"{_summary(judgement.checks)} ({against})")
        return {"version": judgement.version, "passed": judgement.passed}

    def publish(self, build_id: str) -> Verdict:
        """Publish a build's bundle, so that it serves.

        A judgement is outdated once another model is published: the gate then runs again. Raises
        PublicationRefusedError where the gate refuses the bundle.
        """
        build = self.artefacts.build(build_id)
        if self._outdated(build):
            self.gate(build_id)
        with builds.stage("publish") as report_done:
            _metrics(build)  # an unevaluated bundle must not serve
            judgement, facts = build.judged
            files = report.files(facts, judgement)
            challenger = build.contender.bundle
            verdict = publish(self.store, challenger, judgement, files, self.occasion)
            against = f"against champion {verdict.champion}" if verdict.champion else "no champion"
            report_done(f"model {verdict.version} serves from {self.store.url} ({against})")
        return verdict

    def _outdated(self, build: Build) -> bool:
        judgement, _ = build.judged
        try:
            current = read_pointer(self.store)
        except BundleError:
            return False  # the conditional write fails unless this is the pointer that the gate saw
        serves = current is not None and current[0].version == judgement.version
        return not serves and (current[1] if current else None) != judgement.etag

    def _facts(
        self, build: Build, metrics: dict[str, Any], judgement: Judgement, prepared: Prepared
    ) -> dict[str, Any]:
        """Return the facts of the report, besides the checks."""
        challenger = build.contender
        dataset = challenger.bundle.manifest.dataset
        snapshot = self.artefacts.snapshot(dataset["snapshot"])
        champion = None
        if judgement.champion:
            champion = self.artefacts.published(self.store, judgement.champion)
        sample = prepared.test or prepared.validation
        new = self.artefacts.new_feedback(snapshot.id)
        return {
            "version": judgement.version,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "state": "published" if judgement.passed else "refused",
            "why": "; ".join(judgement.reasons) or "It passed the gate.",
            "run": self.occasion.run,
            "occasion": self.occasion.why,
            "accuracy": metrics["leaf"]["accuracy"],
            "classes": len(challenger.classifier.taxonomy.classes),
            "products": dataset["products"]["train"] + dataset["products"]["validation"],
            "snapshot": snapshot.id,
            "test_sha256": dataset["test_sha256"],
            "feedback": _feedback(snapshot),
            "drift": drift(champion or challenger, sample, new),
            "git_commit": builds.git_commit(),
            "parameters": asdict(self.parameters),
            "metrics": metrics,
            "champion": champion.bundle.json(METRICS).get("test") if champion else None,
            **report.quality(challenger.answers(prepared.test), prepared.test),
        }


def _metrics(build: Build) -> dict[str, Any]:
    """Return a bundle's metrics on the frozen test; raise DataError where it has none."""
    metrics: dict[str, Any] | None = build.contender.bundle.json(METRICS).get("test")
    if metrics is None:
        raise DataError(
            f"Build {build.id} has not been evaluated. Expected its metrics on the frozen test, "
            "which the gate needs. Run the evaluate stage first."
        )
    return metrics


def _feedback(snapshot: Snapshot) -> dict[str, Any] | None:
    """Return the counts of a snapshot's feedback, without the ids of its events."""
    facts = snapshot.feedback
    if facts is None:
        return None
    return {
        "states": facts["states"],
        "contradictions": facts["contradictions"],
        "products": facts["products"],
    }


def _summary(checks: Sequence[Check]) -> str:
    failed = [check.name for check in checks if check.passed is False]
    run = sum(check.passed is not None for check in checks)
    if failed:
        return f"{len(failed)} of {run} checks failed: {', '.join(failed)}"
    return f"all {run} checks passed"


def _labelled(examples: Sequence[Example]) -> list[LabelledProduct]:
    return [
        LabelledProduct(example.product, example.path, own_ids(example.path))
        for example in examples
    ]


def _megabytes(exported: Bundle) -> float:
    return sum(map(len, exported.files.values())) / 1e6
