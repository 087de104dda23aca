"""How much a random split leaks: variants of one product on both sides."""

import numpy as np

from aisle_benchmark.candidates.features import text_of
from aisle_benchmark.finding import Finding, Section, signed
from aisle_benchmark.protocol import Catalogue
from aisle_benchmark.research.instrument import FIGURES, FOLDS, cross_validate, figures, part_of


def answer(catalogue: Catalogue) -> Finding:
    """Compare random folds with grouped ones, for the same model."""
    part = part_of(catalogue)
    size = len(catalogue.rows)
    random = np.random.default_rng(0).permutation(size) % FOLDS
    grouped = cross_validate(catalogue, part, lambda product: [text_of(product)])
    leaking = cross_validate(catalogue, part, lambda product: [text_of(product)], folds=random)
    shared = 1 - len({catalogue.groups[row] for row in part.rows}) / len(part.rows)
    gains = " / ".join(
        signed(flattered.accuracy - honest.accuracy)
        for flattered, honest in zip(leaking, grouped, strict=True)
    )
    return Finding(
        columns=(
            "split",
            *FIGURES,
        ),
        rows=(
            ("grouped by description", *figures(grouped)),
            ("random", *figures(leaking)),
        ),
        sentence=(
            f"A random split overstates the accuracy of the same model by {gains} (tables of 100 / "
            f"20), because {shared:.1%} of the products repeat a description. All other figures "
            "use grouped folds."
        ),
    )


SECTION = Section("leak", "Random split against grouped split", answer)
