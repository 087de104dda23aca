"""The stages in their order, each leaving what the next one needs in the store."""

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

# Somebody else may publish between the gate and the pointer; then the gate looks again.
_ATTEMPTS: Final = 3


class Trainer:
    """The stages on a store. Every stage may be run alone, by the id the one before gave.

    With a `job`, stages that it has finished are not done again, and others see how it gets on. A
    stage is given what the one before made in this process, else what is in the store.
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
        """Run all stages; raise DataError for data that cannot be used.

        Raises PublicationRefusedError where the gate refuses the model; the store then serves what
        it served before.
        """
        # Always: under the same name there may be another catalogue now.
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
        """Run all stages but the first."""
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
                say("Somebody else has published since the gate looked: it looks again.")
                if self.job is not None:
                    self.job.forget("gate")
        raise AssertionError  # the last attempt has returned or raised

    def _published(self, build: str) -> Verdict:
        """Publish; also where the job did so before, to give the same verdict or mend a file."""
        if self.job is None:
            return self.publish(build)
        self.job.begin("publish")
        began = time.monotonic()
        verdict = self.publish(build)
        self.job.done("publish", verdict.version, time.monotonic() - began)
        return verdict

    def once(self, stage: str, work: Callable[[], Any]) -> Any:  # noqa: ANN401  # plain data
        """Do a stage, unless the job has finished it before; return what it came to."""
        if self.job is None:
            return work()
        known = self.job.result(stage)
        if known is not None:
            say(f"{stage}: done before.")
            return known
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
                say(f"They are in {rejects_address(self.store, snapshot)}, each with its line.")
        return snapshot.id

    def prepare(self, snapshot_id: str) -> str:
        """Clean and split a snapshot; return the prepared data's id."""
        with builds.stage("prepare") as report:
            rows = self.artefacts.rows(snapshot_id)
            snapshot = self.artefacts.snapshot(snapshot_id)
            prepared = prepare(self.store, snapshot, rows, self.parameters.prepare)
            self.artefacts.keep_prepared(prepared)
            report(
                f"{prepared.id}: {len(prepared.train)} products to train on, "
                f"{len(prepared.validation)} for validation, {len(prepared.test)} to test"
            )
        return prepared.id

    def fit(self, prepared_id: str) -> str:
        """Choose and fit a model; return the build's id."""
        with builds.stage("fit") as report:
            trained = fit(self.artefacts.prepared(prepared_id), self.parameters.learning)
            build = builds.build_id(prepared_id, asdict(self.parameters))
            self.artefacts.build(build).keep_fitted(trained, prepared_id)
            report(
                f"build {build}: {len(trained.taxonomy.classes)} classes, "
                f"{len(trained.vocabulary.terms)} terms"
            )
        return build

    def export(self, build_id: str) -> str:
        """Write a build's bundle and prove that it equals the trained model; return its version."""
        with builds.stage("export") as report:
            build = self.artefacts.build(build_id)
            trained, prepared_id = build.fitted
            prepared = self.artefacts.prepared(prepared_id)
            exported = export(trained, prepared, self.parameters.export)
            products = [example.product for example in (*prepared.validation, *prepared.test)]
            difference = check_parity(trained, exported.classifier, products)
            build.keep_exported(exported, difference)
            report(
                f"model {exported.version}, {_megabytes(exported.bundle):.1f} MB; equals "
                f"the trained model within {difference:.1g} on {len(products)} products"
            )
        return exported.version

    def evaluate(self, build_id: str) -> dict[str, Any]:
        """Score a build's bundle on the frozen test, for the bundle to tell."""
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
            told = to_json({"test": metrics, "choice": asdict(trained.choice)})
            text = card.model_card(exported.bundle, trained.choice, metrics)
            build.keep_evaluated(told, text)
            levels = ", ".join(f"{level['accuracy']:.4f}" for level in metrics["levels"])
            report(f"accuracy on {metrics['rows']} test products, level by level: {levels}")
        return metrics

    def gate(self, build_id: str) -> dict[str, Any]:
        """Judge a build's bundle, and write down what was found; return it in short."""
        with builds.stage("gate") as report:
            build = self.artefacts.build(build_id)
            metrics = _metrics(build)
            _, prepared_id = build.fitted
            prepared = self.artefacts.prepared(prepared_id)
            evidence = GateInput(prepared.test, prepared.heldout, build.parity)
            settings, fetch = self.parameters.gate, self.artefacts.published
            judgement = gate.judge(self.store, build.contender, evidence, settings, fetch)
            build.keep_judged(judgement, self._facts(build, metrics, judgement, prepared))
            against = f"champion {judgement.champion}" if judgement.champion else "no champion"
            report(f"{_told(judgement.checks)} (against {against})")
        return {"version": judgement.version, "passed": judgement.passed}

    def publish(self, build_id: str) -> Verdict:
        """Let a build's bundle serve; raise PublicationRefusedError where the gate refused it.

        A judgement that somebody else's publication has made old counts for nothing: the gate looks
        again.
        """
        build = self.artefacts.build(build_id)
        if self._outdated(build):
            self.gate(build_id)
        with builds.stage("publish") as report_done:
            _metrics(build)
            judgement, facts = build.judged
            files = report.files(facts, judgement)
            whole = build.contender.bundle
            verdict = publish(self.store, whole, judgement, files, self.occasion)
            against = f"against champion {verdict.champion}" if verdict.champion else "no champion"
            report_done(f"model {verdict.version} serves from {self.store.url} ({against})")
        return verdict

    def _outdated(self, build: Build) -> bool:
        judgement, _ = build.judged
        try:
            found = read_pointer(self.store)
        except BundleError:
            return False  # what cannot be read has the ETag that the gate saw, or the write fails
        serves = found is not None and found[0].version == judgement.version
        return not serves and (found[1] if found else None) != judgement.etag

    def _facts(
        self, build: Build, metrics: dict[str, Any], judgement: Judgement, prepared: Prepared
    ) -> dict[str, Any]:
        """Return what the report tells beside the checks."""
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
    """Return a bundle's figures; raise DataError where it has none."""
    metrics: dict[str, Any] | None = build.contender.bundle.json(METRICS).get("test")
    if metrics is None:
        raise DataError(
            f"Build {build.id} has no figures on the frozen test yet, which the gate goes by. Run "
            "the evaluate stage first."
        )
    return metrics


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
