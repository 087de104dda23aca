"""Sentences made from validation errors."""

from typing import Annotated, Literal

import pytest
from annotated_types import Gt
from pydantic import BaseModel, ConfigDict, ValidationError

from aisle.serving.http.validation import field_errors, summary


class Part(BaseModel):
    """A part with two fields."""

    model_config = ConfigDict(extra="forbid", strict=True)

    size: Annotated[int, Gt(2)] = 3
    colour: Literal["red"] = "red"


class Document(BaseModel):
    """A document with parts."""

    parts: list[Part] = []


def errors_of(data, **options):
    """Return the errors of data that is no document."""
    with pytest.raises(ValidationError) as caught:
        Document.model_validate(data)
    return field_errors(caught.value.errors(), **options)


@pytest.mark.parametrize(
    ("data", "field", "sentence"),
    [
        ({"parts": [{}, {"size": "3"}]}, "parts[1].size", "'parts[1].size' must be a whole number"),
        ({"parts": [{"hue": 1}]}, "parts[0].hue", "'parts[0].hue' is not a known field"),
        ({"parts": 5}, "parts", "'parts' must be a list, in square brackets; a number was given."),
        ({"parts": [{"size": 1}]}, "parts[0].size", "'parts[0].size': Input should be greater"),
        ({"parts": [{"colour": "b"}]}, "parts[0].colour", "'parts[0].colour': Input should be"),
        (5, "whole", "The whole must be a JSON object, in curly braces; a number was given."),
    ],
)
def test_finding_becomes_a_sentence(data, field, sentence):
    """An error names the path to its field, for every kind of finding."""
    (error,) = errors_of(data, whole="whole")
    assert error.field == field
    assert error.detail.startswith(sentence)


@pytest.mark.parametrize(
    ("name", "shown"),
    [("é", "é"), ("x" * 61, "x" * 60 + "…"), ("a\udcffb", "a\\udcffb")],
)
def test_field_name_of_a_client_is_encodable(name, shown):
    """A client's field name is truncated, and can always be encoded."""
    (error,) = field_errors([{"type": "extra_forbidden", "loc": (name,), "input": 1, "msg": ""}])
    assert error.field == shown
    error.detail.encode()


@pytest.mark.parametrize("source", ["body", "query"])
def test_source_is_no_part_of_the_path(source):
    """The source of a value is not part of its field's name, unless it is the name."""
    finding = {"type": "missing", "loc": (source, source), "input": {}, "msg": ""}
    assert field_errors([finding])[0].field == source


def test_summary_counts_the_others():
    """The summary is the first sentence and the number of further errors."""
    errors = errors_of({"parts": [{"size": "x"}, {"size": "x"}, {"size": "x"}]})
    assert summary(errors).endswith("(2 more under 'errors'.)")
    assert summary(errors[:1]) == errors[0].detail
