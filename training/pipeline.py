"""The stages in their order, each leaving what the next one needs in the store."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path as FilePath
from typing import Any

from aisle import bundle, keys
from aisle.bundle import Bundle
from aisle.classifier import Classifier
from aisle.errors import BundleError, DataError, PublicationRefusedError
from aisle.golden import replay
from aisle.product import own_ids
from aisle.store import Store
from catalogue.columns import Columns
from catalogue.products import LabelledProduct
from catalogue.records import DEFAULT_COLUMNS
from training import card, runs
from training.evaluate import evaluate
from training.export import check_parity, export
from training.fit import fit
from training.ingest import ingest, rejects_address
from training.parameters import Parameters
from training.prepare import Example, prepare, read_prepared
from training.progress import say
from training.publish import Verdict, publish


@dataclass(frozen=True, slots=True)
class Trainer:
    """The training job on a store. Every stage may be run alone, by the id the one before gave."""

    store: Store
    parameters: Parameters

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
        snapshot = self.ingest(data, test_data=test_data, columns=columns)
        run = self.fit(self.prepare(snapshot))
        self.export(run)
        self.evaluate(run)
        return self.publish(run)

    def ingest(
        self,
        data: str | FilePath,
        *,
        test_data: str | FilePath | None = None,
        columns: Columns = DEFAULT_COLUMNS,
    ) -> str:
        """Write the catalogue to the store; return the snapshot's id."""
        with runs.stage("ingest") as report:
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
        with runs.stage("prepare") as report:
            prepared = prepare(self.store, snapshot_id, self.parameters.prepare)
            report(
                f"{prepared.id}: {len(prepared.train)} products to train on, "
                f"{len(prepared.validation)} for validation, {len(prepared.test)} to test"
            )
        return prepared.id

    def fit(self, prepared_id: str) -> str:
        """Choose and fit a model; return the run's id."""
        with runs.stage("fit") as report:
            prepared = read_prepared(self.store, prepared_id)
            trained = fit(prepared, self.parameters)
            run = runs.run_id(prepared.id, self.parameters)
            runs.save_trained(self.store, run, trained, prepared_id)
            report(
                f"run {run}: {len(trained.taxonomy.classes)} classes, "
                f"{len(trained.vocabulary.terms)} terms"
            )
        return run

    def export(self, run: str) -> None:
        """Write a run's bundle and prove that it equals the trained model."""
        with runs.stage("export") as report:
            trained, prepared_id = runs.load_trained(self.store, run)
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
            runs.save_bundle(self.store, run, exported)
            report(
                f"model {exported.manifest.model_version}, {_megabytes(exported):.1f} MB; equals "
                f"the trained model within {difference:.1g} on {len(products)} products; "
                f"{examples} golden examples"
            )

    def evaluate(self, run: str) -> dict[str, Any]:
        """Score a run's bundle on the frozen test and write the figures into it."""
        with runs.stage("evaluate") as report:
            exported = runs.load_bundle(self.store, run)
            trained, prepared_id = runs.load_trained(self.store, run)
            test = _labelled(read_prepared(self.store, prepared_id).test)
            metrics = evaluate(Classifier(exported), test)
            choice = trained.choice
            described = bundle.describe(
                exported,
                {
                    bundle.METRICS: runs.to_json({"test": metrics, "choice": asdict(choice)}),
                    bundle.MODEL_CARD: card.model_card(exported, choice, metrics).encode(),
                },
            )
            runs.save_bundle(self.store, run, described)
            levels = ", ".join(f"{level['accuracy']:.4f}" for level in metrics["levels"])
            report(f"accuracy on {metrics['rows']} test products, level by level: {levels}")
        return metrics

    def publish(self, run: str) -> Verdict:
        """Let a run's bundle through the gate; raise PublicationRefusedError where it stays out."""
        with runs.stage("publish") as report:
            exported = runs.load_bundle(self.store, run)
            _, prepared_id = runs.load_trained(self.store, run)
            test = _labelled(read_prepared(self.store, prepared_id).test)
            metrics = exported.json(bundle.METRICS).get("test")
            if metrics is None:
                raise DataError(
                    f"Run {run} has no figures on the frozen test yet, which the gate goes by. Run "
                    "the evaluate stage first."
                )
            verdict = publish(self.store, exported, metrics, test, self.parameters.publish)
            facts = {
                "run": run,
                "champion": verdict.champion,
                "git_commit": runs.git_commit(),
                "parameters": asdict(self.parameters),
                "metrics": metrics,
            }
            self.store.put(keys.report_file(verdict.version, "report.json"), runs.to_json(facts))
            against = f"against champion {verdict.champion}" if verdict.champion else "no champion"
            report(f"model {verdict.version} serves from {self.store.url} ({against})")
        return verdict


def _labelled(examples: Sequence[Example]) -> list[LabelledProduct]:
    return [LabelledProduct(one.product, one.path, own_ids(one.path)) for one in examples]


def _megabytes(whole: Bundle) -> float:
    return sum(map(len, whole.files.values())) / 1e6
