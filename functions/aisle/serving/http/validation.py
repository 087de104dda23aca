"""pydantic's validation errors -> plain sentences, each with the field that it is about."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from aisle.serving.http.problems import FieldError

_MOST_ERRORS = 20
_LONGEST_NAME = 60
_BODY = "body"

# By pydantic's error type; the error's context has the limits.
_SENTENCES = {
    "missing": "{field} is missing; add it.",
    "extra_forbidden": "{field} is not a known field; remove it or correct its spelling.",
    "string_type": "{field} must be text, in quotes; {given} was given.",
    "string_too_long": "{field} is too long; shorten it to {max_length:,} characters.",
    "string_unicode": (
        "{field} has a lone surrogate, which is not a character; send complete characters."
    ),
    "string_pattern_mismatch": "{field} must match {pattern}; correct it or leave it out.",
    "bool_type": "{field} must be true or false, without quotes; {given} was given.",
    "float_type": "{field} must be a number without quotes; {given} was given.",
    "finite_number": "{field} must be a finite number; leave it out if it is not known.",
    "greater_than_equal": "{field} must be {ge:g} or more; correct it or leave it out.",
    "less_than_equal": "{field} must be {le:g} or less; correct it or leave it out.",
    "int_type": "{field} must be a whole number without quotes; {given} was given.",
    "int_parsing": "{field} must be a whole number; correct it or leave it out.",
    "int_parsing_size": "{field} must be a whole number with fewer digits; correct it.",
    "list_type": "{field} must be a list, in square brackets; {given} was given.",
    "too_short": "{field} must not be empty; add at least one item.",
    "too_long": "{field} must have at most {max_length} items; send the others separately.",
    "model_type": "{field} must be a JSON object, in curly braces; {given} was given.",
}
_SENTENCES["model_attributes_type"] = _SENTENCES["model_type"]

_GIVEN = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
    type(None): "null",
}


def field_errors(
    details: Iterable[Mapping[str, Any]], *, whole: str = _BODY
) -> tuple[FieldError, ...]:
    """Translate up to 20 of the errors that pydantic's `errors()` returns.

    `whole` names the object, for an error that is not about a single field.
    """
    return tuple(_field_error(detail, whole) for detail in islice(details, _MOST_ERRORS))


def summary(errors: Sequence[FieldError]) -> str:
    """Return one sentence: the first error, and how many more there are."""
    more = len(errors) - 1
    return errors[0].detail + (f" ({more} more under 'errors'.)" if more else "")


def _field_error(error: Mapping[str, Any], whole: str) -> FieldError:
    # FastAPI puts the source of a value before its name; pydantic alone does not.
    parts = [part for at, part in enumerate(error["loc"]) if at or part not in {_BODY, "query"}]
    field = _path(parts)
    values = dict(error.get("ctx", {}))
    values["field"] = f"'{field}'" if parts else f"The {whole}"
    values["given"] = _GIVEN.get(type(error["input"]), "something else")
    kind = error["type"]
    if kind == "float_type" and type(error["input"]) is int:  # too large for a float
        kind = "finite_number"
    return FieldError(field=field or whole, detail=_sentence(kind, error["msg"], values))


def _sentence(kind: str, message: str, values: Mapping[str, Any]) -> str:
    template = _SENTENCES.get(kind)
    return template.format_map(values) if template else f"{values['field']}: {message}."


def _path(parts: Sequence[str | int]) -> str:
    """Return the path to a field as code would write it: products[3].name."""
    path = ""
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{_printable(part)}" if path else _printable(part)
    return path


def _printable(name: str) -> str:
    """Make a name chosen by a client safe for a response: short, and encodable as UTF-8."""
    short = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
    return short.encode("utf-8", "backslashreplace").decode()
