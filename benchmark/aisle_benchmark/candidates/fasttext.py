"""fastText (Joulin et al. 2017)."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from aisle.product import Product
from aisle_benchmark.candidates.base import Fitted, FoldedEarly, Training
from aisle_benchmark.candidates.features import attributes_of, text_of
from aisle_benchmark.candidates.linear import inner_folds

_LABEL = "__label__"


@dataclass(frozen=True)
class FastText(FoldedEarly):
    """fastText with word pairs and character n-grams; training products choose its epochs."""

    name: ClassVar[str] = "fasttext"
    title: ClassVar[str] = "fastText"
    packages: ClassVar[dict[str, str]] = {"fasttext": "fasttext-numpy2-wheel"}
    seconds: ClassVar[float] = 90
    epochs: tuple[int, ...] = (10, 25, 50)
    dimensions: int = 64
    buckets: int = 200_000
    learning_rate: float = 0.5

    def fit(self, training: Training) -> Fitted:
        """Choose the epochs on one held-out fold, then fit on all products."""
        lines = [line_of(product) for product in training.products]
        inside, outside = inner_folds(training)[0]
        right = []
        for epochs in self.epochs:
            model = self._train([lines[row] for row in inside], training.labels[inside], epochs)
            probabilities = Lines(model, training.classes).of([lines[row] for row in outside])
            right.append(int((probabilities.argmax(axis=1) == training.labels[outside]).sum()))
        best = self.epochs[int(np.argmax(right))]
        return Lines(self._train(lines, training.labels, best), training.classes)

    def _train(self, lines: Sequence[str], labels: NDArray[np.int64], epochs: int) -> Any:  # noqa: ANN401  # no types
        import fasttext  # noqa: PLC0415  # of the research extra

        fasttext.FastText.eprint = lambda *_: None  # it warns on every load
        with tempfile.TemporaryDirectory(prefix="aisle-") as folder:
            file = Path(folder, "train.txt")
            text = "".join(
                f"{_LABEL}{label} {line}\n" for label, line in zip(labels, lines, strict=True)
            )
            file.write_text(text, encoding="utf-8", errors="replace")
            return fasttext.train_supervised(
                str(file),
                lr=self.learning_rate,
                epoch=epochs,
                dim=self.dimensions,
                wordNgrams=2,
                minn=2,
                maxn=5,
                bucket=self.buckets,
                thread=1,
                seed=1,
                verbose=0,
            )


@dataclass(frozen=True, slots=True)
class Lines:
    """A fastText model, which predicts lines of text."""

    model: Any
    classes: int

    def predict_proba(self, products: Sequence[Product]) -> NDArray[np.float64]:
        """Return the probability of every class: (products, classes)."""
        return self.of([line_of(product) for product in products])

    def of(self, lines: Sequence[str]) -> NDArray[np.float64]:
        """Return the probability of every class: (lines, classes)."""
        out = np.zeros((len(lines), self.classes))
        # fastText's own method fails with numpy 2; this is the function that it calls.
        for row, line in enumerate(lines):
            for probability, label in self.model.f.predict(
                line + "\n", self.classes, 0.0, "strict"
            ):
                out[row, int(label.removeprefix(_LABEL))] = probability
        return out

    def size_bytes(self) -> int:
        """Return the size of the model's file."""
        with tempfile.TemporaryDirectory(prefix="aisle-") as folder:
            file = Path(folder, "model.bin")
            self.model.save_model(str(file))
            return file.stat().st_size


def line_of(product: Product) -> str:
    """Return text and attributes as one line of words.

    >>> line_of(Product("Pan", manufacturer="Ostra & Co"))
    'pan maker=ostra_co maker=ostra maker=co'
    """
    tokens = [token.replace(" ", "_") for token in attributes_of(product)]
    return " ".join([text_of(product), *tokens])
