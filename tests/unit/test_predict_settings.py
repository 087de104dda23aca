import pytest
from pydantic import ValidationError

from predict.settings import Settings


def test_empty_environment_gives_the_defaults():
    """Nothing has to be set."""
    assert Settings.read({}) == Settings(max_body_bytes=6_000_000)


def test_settings_are_read_by_name():
    """A setting is the variable of its name; other variables are left alone."""
    environment = {
        "AISLE_MAX_BODY_BYTES": "1000",
        "AISLE_STORE": "file:///store",
        "MAX_BODY_BYTES": "5",
    }
    assert Settings.read(environment) == Settings(max_body_bytes=1000)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AISLE_MAX_BODY_BYTES", "0"),
        ("AISLE_MAX_BODY_BYTES", "many"),
        ("AISLE_MAX_BODY_BYTES", ""),
    ],
)
def test_wrong_setting_is_refused(name, value):
    """A setting that cannot be meant is an error that names it."""
    with pytest.raises(ValidationError, match=name.removeprefix("AISLE_").lower()):
        Settings.read({name: value})
