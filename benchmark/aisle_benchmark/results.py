"""The result of a candidate on a fold, and its object in the store."""

import hashlib
import io
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aisle.errors import ObjectNotFoundError
from aisle.store import Store, layout
from aisle_benchmark import protocol
from aisle_benchmark.candidates.base import Candidate
from aisle_benchmark.finding import Finding, Section
from aisle_benchmark.protocol import Table
from aisle_training.figures import to_json

_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class Costs:
    """The costs of training and using a candidate, all on one core.

    `fit_seconds` includes all shared work that it uses; `peak_bytes` is of the whole process that
    trained and scored it; latencies and the rate cover the way from raw products to probabilities.
    """

    fit_seconds: float
    p50_ms: float
    p99_ms: float
    batch_per_second: float
    size_bytes: int
    peak_bytes: int


@dataclass(frozen=True, slots=True)
class FoldResult:
    """Probabilities float32 (rows, classes) of the test `rows` of a fold, and their costs.

    `extras` are additional arrays of some candidates.
    """

    rows: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    costs: Costs
    extras: dict[str, NDArray[Any]] = field(default_factory=dict)


def result_key(data_id: str, candidate: Candidate, table: Table, fold: int) -> str:
    """Return the name of a result in the store; it depends on everything that the result does."""
    identity = {
        "protocol": protocol.VERSION,
        "candidate": candidate.identity(),
        "min_products": table.min_products,
        "inputs": table.inputs,
        "fold": fold,
    }
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    # An external name may have characters that no object name has; the digest keeps it unique.
    folder = re.sub(r"[^a-z0-9.-]+", "-", candidate.name.lower()).strip("-.")[:_LONGEST_NAME]
    folder = folder or "outside"
    return layout.comparison_result(data_id, folder, f"{table.name}-{fold}-{digest}.npz")


def finding_key(data_id: str, section: Section) -> str:
    """Return the name of a research section's finding in the store."""
    name = f"{section.name}-{protocol.VERSION}-{section.version}.json"
    return layout.comparison_result(data_id, "research", name)


def save_finding(store: Store, key: str, finding: Finding) -> None:
    """Write a finding to the store."""
    store.put(key, to_json(asdict(finding)))


def load_finding(store: Store, data_id: str, section: Section) -> dict[str, Any] | None:
    """Return a finding as plain data; None if there is none."""
    try:
        data = store.get(finding_key(data_id, section)).data
    except ObjectNotFoundError:
        return None
    finding: dict[str, Any] = json.loads(data)
    return finding


def save(store: Store, key: str, result: FoldResult) -> None:
    """Write a result to the store."""
    buffer = io.BytesIO()
    costs = json.dumps(asdict(result.costs)).encode()
    arrays: dict[str, Any] = {f"extra_{name}": array for name, array in result.extras.items()}
    arrays |= {"rows": result.rows, "probabilities": result.probabilities}
    np.savez_compressed(buffer, costs=np.frombuffer(costs, np.uint8), **arrays)
    store.put(key, buffer.getvalue())


def load(store: Store, key: str) -> FoldResult:
    """Read a result from the store."""
    with np.load(io.BytesIO(store.get(key).data)) as arrays:
        return FoldResult(
            rows=arrays["rows"],
            probabilities=arrays["probabilities"],
            costs=Costs(**json.loads(arrays["costs"].tobytes())),
            extras={
                name.removeprefix("extra_"): arrays[name]
                for name in arrays.files
                if name.startswith("extra_")
            },
        )


def combine(members: Sequence[FoldResult]) -> FoldResult:
    """Return the average of the members' probabilities, with the sum of their costs."""
    costs = [member.costs for member in members]
    return FoldResult(
        rows=members[0].rows,
        probabilities=np.mean(
            [member.probabilities for member in members], axis=0, dtype=np.float32
        ),
        costs=Costs(
            fit_seconds=sum(cost.fit_seconds for cost in costs),
            p50_ms=sum(cost.p50_ms for cost in costs),
            p99_ms=sum(cost.p99_ms for cost in costs),
            batch_per_second=1 / sum(1 / cost.batch_per_second for cost in costs),
            size_bytes=sum(cost.size_bytes for cost in costs),
            peak_bytes=max(cost.peak_bytes for cost in costs),
        ),
    )
