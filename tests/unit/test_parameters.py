"""The parameter file: its values, and the errors for a malformed one."""

import pytest

from aisle.errors import DataError
from aisle_training import parameters

TEXT = parameters.DEFAULT.read_text(encoding="utf-8")


def test_default_parameters_keep_the_promises():
    """The default parameters keep the promises of the documentation."""
    default = parameters.load()
    assert 0 < default.prepare.test_share < 0.5
    assert 0 < default.prepare.validation_share < 0.5
    assert set(default.fit.min_products) <= {1, 2, 3, 4, 5}
    assert default.answer.precision >= 0.95
    assert 0 <= default.gate.accuracy_tolerance <= 0.01
    assert 0 <= default.gate.macro_f1_tolerance <= 0.01


def test_another_file_gives_other_parameters(tmp_path):
    """A changed value changes only its own parameter."""
    path = tmp_path / "mine.toml"
    path.write_text(TEXT.replace("precision = 0.98", "precision = 0.5"), encoding="utf-8")
    changed, default = parameters.load(path), parameters.load()
    assert changed.answer.precision == 0.5
    assert (changed.prepare, changed.features, changed.fit) == (
        default.prepare,
        default.features,
        default.fit,
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (TEXT, ""),
        ("[answer]", "[answers]"),
        ("precision =", "accuracy ="),
        ("precision = 0.98", ""),
        ("[answer]", "[extra]\na = 1\n[answer]"),
        ("[answer]", "[answer"),
    ],
    ids=["empty", "other table", "other key", "key missing", "table too many", "not TOML"],
)
def test_wrong_file_is_a_data_error(tmp_path, old, new):
    """A file without exactly the known tables and keys raises DataError, which names the file."""
    path = tmp_path / "mine.toml"
    path.write_text(TEXT.replace(old, new), encoding="utf-8")
    with pytest.raises(DataError, match=r"mine\.toml"):
        parameters.load(path)


def test_missing_file_is_a_data_error(tmp_path):
    """A missing file raises DataError, which names the file."""
    with pytest.raises(DataError, match=r"absent\.toml"):
        parameters.load(tmp_path / "absent.toml")
