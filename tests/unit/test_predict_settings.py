"""The settings of the predict function."""

import pytest

from aisle.errors import ConfigurationError
from predict.settings import PredictSettings


def test_empty_environment_gives_the_defaults():
    """Every setting has a default."""
    assert PredictSettings.read({}) == PredictSettings(
        max_body_bytes=6_000_000, cors_origins=(), store=""
    )


def test_settings_are_read_by_name():
    """A setting is read from the variable of its name; other variables are ignored."""
    environment = {
        "AISLE_MAX_BODY_BYTES": "1000",
        "AISLE_CORS_ORIGINS": "https://a.example, https://b.example,",
        "AISLE_STORE": "file:///store",
        "AISLE_POLL_SECONDS": "5",
        "MAX_BODY_BYTES": "5",
        "AISLE_OTHER": "5",
    }
    assert PredictSettings.read(environment) == PredictSettings(
        max_body_bytes=1000,
        cors_origins=("https://a.example", "https://b.example"),
        store="file:///store",
        poll_seconds=5,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AISLE_MAX_BODY_BYTES", "0"),
        ("AISLE_MAX_BODY_BYTES", "many"),
        ("AISLE_MAX_BODY_BYTES", ""),
        ("AISLE_POLL_SECONDS", "0"),
    ],
)
def test_wrong_setting_is_refused(name, value):
    """An invalid value is an error that names its variable."""
    with pytest.raises(ConfigurationError, match=name):
        PredictSettings.read({name: value})


def test_wrong_setting_is_not_shown():
    """The message does not repeat the value, which may be a misplaced secret."""
    with pytest.raises(ConfigurationError) as refusal:
        PredictSettings.read({"AISLE_MAX_BODY_BYTES": "s3cret"})
    assert "s3cret" not in str(refusal.value)
