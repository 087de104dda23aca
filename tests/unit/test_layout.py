"""The object layout: the key of each object, and the keys that are refused."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aisle.errors import StoreError
from aisle.store import layout

DIGEST = "0123456789abcdef" * 4

IDS: list[Callable[[str], str]] = [
    layout.bundle_prefix,
    lambda part: layout.bundle_file(part, "linear.safetensors"),
    lambda part: layout.report_file(part, "report.json"),
    lambda part: layout.base_snapshot(part, "manifest.json"),
    lambda part: layout.prepared(part, "manifest.json"),
    lambda part: layout.comparison_result(part, "linear-svm", "0.npz"),
    lambda part: layout.comparison_result("3f9c", part, "0.npz"),
    lambda part: layout.comparison_report(part, "RESULTS.md"),
]
NAMES: list[Callable[[str], str]] = [
    lambda part: layout.bundle_file("v1", part),
    lambda part: layout.report_file("v1", part),
    lambda part: layout.base_snapshot("s1", part),
    lambda part: layout.prepared("p1", part),
    lambda part: layout.comparison_result("3f9c", "linear-svm", part),
    lambda part: layout.comparison_report("3f9c", part),
    lambda part: layout.feedback_event(date(2026, 11, 22), part),
]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (layout.current_model(), "models/current.json"),
        (layout.models_prefix(), "models/"),
        (layout.bundle_prefix("2026-11-22.1"), "models/2026-11-22.1/"),
        (layout.bundle_file("v1", "MODEL_CARD.md"), "models/v1/MODEL_CARD.md"),
        (layout.report_file("v1", "report.json"), "models/v1/report/report.json"),
        (
            layout.base_snapshot("bestbuy", "products.jsonl.gz"),
            "datasets/base/bestbuy/products.jsonl.gz",
        ),
        (layout.base_snapshot("bestbuy", "manifest.json"), "datasets/base/bestbuy/manifest.json"),
        (layout.prepared("3f9c", "train.jsonl.gz"), "datasets/prepared/3f9c/train.jsonl.gz"),
        (
            layout.prepared("3f9c", "validation.jsonl.gz"),
            "datasets/prepared/3f9c/validation.jsonl.gz",
        ),
        (layout.prepared("3f9c", "test.jsonl.gz"), "datasets/prepared/3f9c/test.jsonl.gz"),
        (layout.prepared("3f9c", "manifest.json"), "datasets/prepared/3f9c/manifest.json"),
        (layout.prepared("3f9c", "taxonomy.json"), "datasets/prepared/3f9c/taxonomy.json"),
        (
            layout.comparison_result("3f9c", "linear-svm", "100-text-0.npz"),
            "comparisons/3f9c/results/linear-svm/100-text-0.npz",
        ),
        (
            layout.comparison_report("3f9c", "RESULTS.md"),
            "comparisons/3f9c/report/RESULTS.md",
        ),
        (
            layout.feedback_event(date(2026, 1, 2), DIGEST),
            f"feedback/dt=2026-01-02/{DIGEST}.json",
        ),
    ],
)
def test_layout(key: str, expected: str) -> None:
    """Each kind of object has its documented key."""
    assert key == expected


@pytest.mark.parametrize("build", IDS)
@pytest.mark.parametrize(
    "part",
    ["", ".", "..", "-v", "_v", "V1", "v/1", "v\\1", "v 1", "v1\n", "v\0", "vé", "v" * 65],
)
def test_refused_ids(build: Callable[[str], str], part: str) -> None:
    """A malformed version or snapshot is refused, and the message names it."""
    with pytest.raises(StoreError) as caught:
        build(part)
    assert repr(part) in str(caught.value)


@pytest.mark.parametrize("build", NAMES)
@pytest.mark.parametrize("part", ["", ".", "..", "../x", "a/b", "/a", ".hidden", "a\n", "a" * 129])
def test_refused_names(build: Callable[[str], str], part: str) -> None:
    """A file name that could lead elsewhere is refused, and the message names it."""
    with pytest.raises(StoreError) as caught:
        build(part)
    assert repr(part) in str(caught.value)


@pytest.mark.parametrize("build", IDS[:3])
def test_pointer_name_is_no_version(build: Callable[[str], str]) -> None:
    """No model version may have the pointer's name."""
    with pytest.raises(StoreError, match=r"current\.json"):
        build("current.json")


def test_report_folder_is_no_file() -> None:
    """No bundle file may have the name of the report folder."""
    with pytest.raises(StoreError, match="report"):
        layout.bundle_file("v1", "report")


@pytest.mark.parametrize(
    ("build", "name"),
    [(layout.base_snapshot, "train.jsonl.gz"), (layout.prepared, "products.jsonl.gz")],
)
def test_datasets_have_fixed_files(build: Callable[[str, str], str], name: str) -> None:
    """A dataset has a fixed set of files, which the message lists."""
    with pytest.raises(StoreError, match=r"manifest\.json"):
        build("s1", name)


def test_one_bundle_is_not_the_prefix_of_another() -> None:
    """The prefix of one version does not match a version with a longer name."""
    assert not layout.bundle_file("v10", "linear.safetensors").startswith(
        layout.bundle_prefix("v1")
    )


def test_day_of_a_datetime() -> None:
    """A datetime gives the same key as its date."""
    moment = datetime(2026, 11, 22, 23, 59, tzinfo=UTC)
    assert layout.feedback_event(moment, DIGEST) == layout.feedback_event(moment.date(), DIGEST)


@given(st.text(max_size=70))
def test_ids_never_add_a_level(part: str) -> None:
    """For any text as a version, the key has three levels or is refused."""
    try:
        key = layout.bundle_file(part, "linear.safetensors")
    except StoreError:
        return
    assert key.split("/") == ["models", part, "linear.safetensors"]
    assert part not in {".", "..", "current.json"}
