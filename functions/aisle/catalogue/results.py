"""The result for each row of a catalogue, written as CSV or JSON lines."""

import csv
import gzip
import io
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aisle.product import PATH_SEPARATOR, Path, Prediction

HEADER = (
    "line",
    "sku",
    "name",
    "category_id",
    "category",
    "confidence",
    "answer_id",
    "answer",
    "answer_confidence",
    "needs_review",
    "model_version",
    "error",
)
# A spreadsheet runs a cell that begins with one of these as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
# Characters that a CSV file cannot hold, even in quotes.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Result:
    """A row of the catalogue with its prediction, or with the error that prevented one."""

    line: int
    sku: Any
    name: str | None
    prediction: Prediction | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ResultFormat:
    """The format of results: CSV or JSON lines, optionally gzipped."""

    csv: bool
    gzipped: bool

    @classmethod
    def of(cls, name: str) -> "ResultFormat":
        """Return the format for a file name: .csv and .csv.gz are CSV, others JSON lines."""
        plain = name.lower().removesuffix(".gz")
        return cls(csv=plain.endswith(".csv"), gzipped=name.lower().endswith(".gz"))

    def header(self) -> bytes:
        """Return the bytes before the first result."""
        return self._pack(_table([HEADER])) if self.csv else b""

    def encode(self, results: Iterable[Result]) -> bytes:
        """Return results as bytes that can be appended to others; gzipped, they are one member."""
        rows = [_row(result) for result in results]
        if self.csv:
            return self._pack(_table([[_cell(row[name]) for name in HEADER] for row in rows]))
        return self._pack("".join(json.dumps(row) + "\n" for row in rows))

    def _pack(self, text: str) -> bytes:
        data = text.encode("utf-8", "backslashreplace")
        return gzip.compress(data, mtime=0) if self.gzipped else data


def _row(result: Result) -> dict[str, Any]:
    prediction = result.prediction
    row: dict[str, Any] = dict.fromkeys(HEADER)
    row |= {"line": result.line, "sku": result.sku, "name": result.name, "error": result.error}
    if prediction is not None:
        row |= {
            "category_id": prediction.category.category.id,
            "category": _path(prediction.category.path),
            "confidence": round(prediction.category.confidence, _DIGITS),
            "needs_review": prediction.needs_review,
            "model_version": prediction.model_version,
        }
        if prediction.answer is not None:
            row |= {
                "answer_id": prediction.answer.category.id,
                "answer": _path(prediction.answer.path),
                "answer_confidence": round(prediction.answer.confidence, _DIGITS),
            }
    return row


def _path(path: Path) -> str:
    return PATH_SEPARATOR.join(node.name for node in path)


def _table(rows: Iterable[Iterable[Any]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue()


def _cell(value: Any) -> Any:  # noqa: ANN401  # a string, a number, a boolean or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        plain = _CONTROL.sub(" ", value)
        return f"'{plain}" if value.startswith(_FORMULA) else plain
    return value
