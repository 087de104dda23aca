"""The training job's parameters: a TOML file, read into a frozen object."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aisle.errors import DataError

DEFAULT = Path(__file__).parent / "parameters.toml"


@dataclass(frozen=True, slots=True)
class PrepareParameters:
    """How the products are split."""

    test_share: float
    validation_share: float


@dataclass(frozen=True, slots=True)
class FeatureParameters:
    """The features, and which terms the vocabulary keeps."""

    word_ngram_max: int
    char_ngram_min: int
    char_ngram_max: int
    price_bins_per_doubling: int
    min_document_frequency: int
    char_ngram_max_share: float
    weights: dict[str, float]
    vector_weight: float
    max_weights: int


@dataclass(frozen=True, slots=True)
class FitParameters:
    """Candidates and constants of the linear SVMs."""

    min_products: list[int]
    inverse_regularization: list[float]
    ancestor_weight: float
    field_dropout: float
    copy_weight: float


@dataclass(frozen=True, slots=True)
class RerankParameters:
    """The second stage: LightGBM reranks the linear stage's best candidates."""

    folds: int
    trees: int
    leaves: int
    learning_rate: float
    least_in_leaf: int
    l2: float
    most_neighbours: int
    most_frequent: float
    most_pairs: int


@dataclass(frozen=True, slots=True)
class ExportParameters:
    """How the weights are pruned, and how many golden examples the bundle has."""

    prune_below: float
    golden_products: int


@dataclass(frozen=True, slots=True)
class AnswerParameters:
    """How precise an answer without review must be."""

    precision: float


@dataclass(frozen=True, slots=True)
class FeedbackParameters:
    """How feedback is aggregated into labels."""

    client_share: float
    client_products: int
    one_label_products: int
    one_label_sources: float
    beside: int
    neighbours: int
    new_category_products: int


@dataclass(frozen=True, slots=True)
class GateParameters:
    """The gate's tolerances and limits."""

    accuracy_tolerance: float
    accuracy_limit: float
    macro_f1_tolerance: float
    macro_f1_limit: float
    log_loss_tolerance: float
    log_loss_limit: float
    bootstrap: int
    class_products: int
    class_limit: float
    behaviour_products: int
    typed_share: float
    variant_share: float
    milliseconds: float
    megabytes: float


@dataclass(frozen=True, slots=True)
class LearningParameters:
    """The parameters of the fit stage: its three tables and a value from each of two others.

    `precision` comes from `AnswerParameters`, `prune_below` from `ExportParameters`.
    """

    features: FeatureParameters
    fit: FitParameters
    rerank: RerankParameters
    precision: float
    prune_below: float


@dataclass(frozen=True, slots=True)
class Parameters:
    """All parameters, by stage; comments in the file explain each.

    Only the pipeline has all of them: it passes each stage its own.
    """

    prepare: PrepareParameters
    features: FeatureParameters
    fit: FitParameters
    rerank: RerankParameters
    export: ExportParameters
    answer: AnswerParameters
    feedback: FeedbackParameters
    gate: GateParameters

    @property
    def learning(self) -> LearningParameters:
        """The parameters of the fit stage."""
        return LearningParameters(
            features=self.features,
            fit=self.fit,
            rerank=self.rerank,
            precision=self.answer.precision,
            prune_below=self.export.prune_below,
        )


def load(path: Path = DEFAULT) -> Parameters:
    """Read a parameter file; raise DataError where it cannot be used."""
    try:
        data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        return Parameters(
            prepare=PrepareParameters(**data.pop("prepare")),
            features=FeatureParameters(**data.pop("features")),
            fit=FitParameters(**data.pop("fit")),
            rerank=RerankParameters(**data.pop("rerank")),
            export=ExportParameters(**data.pop("export")),
            answer=AnswerParameters(**data.pop("answer")),
            feedback=FeedbackParameters(**data.pop("feedback")),
            gate=GateParameters(**data.pop("gate")),
            **data,
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"Cannot read the parameters from {path}: {error}. Expected the tables and keys of "
            "training/aisle_training/parameters.toml. Start from a copy of that file."
        ) from error
