"""pydantic's findings -> sentences that a person understands, with the field they are about."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aisle.serving.http.problems import FieldError

_MOST_ERRORS = 20
_LONGEST_NAME = 60
_BODY = "body"

# By pydantic's type of error; it names the limits in its context.
_SENTENCES = {
    "missing": "{field} is missing; add it.",
    "extra_forbidden": "{field} is not known here; remove it or correct its spelling.",
    "string_type": "{field} must be text, in quotes; {given} was given.",
    "string_too_long": "{field} is too long; shorten it to {max_length:,} characters.",
    "string_unicode": (
        "{field} has half of a surrogate pair, which is no character; send whole characters."
    ),
    "string_pattern_mismatch": "{field} should match {pattern}; correct it or leave it out.",
    "bool_type": "{field} must be true or false, without quotes; {given} was given.",
    "float_type": "{field} must be a number without quotes; {given} was given.",
    "finite_number": "{field} must be a finite number; leave it out where it is not known.",
    "greater_than_equal": "{field} must be {ge:g} or more; correct it or leave it out.",
    "less_than_equal": "{field} must be {le:g} or less; correct it or leave it out.",
    "int_type": "{field} must be a whole number without quotes; {given} was given.",
    "int_parsing": "{field} must be a whole number; correct it or leave it out.",
    "int_parsing_size": "{field} must be a whole number of fewer digits; correct it.",
    "list_type": "{field} must be a list, in square brackets; {given} was given.",
    "too_short": "{field} must not be empty; add what it is about.",
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
    findings: Iterable[Mapping[str, Any]], *, whole: str = _BODY
) -> tuple[FieldError, ...]:
    """Translate what pydantic's `errors()` returned, up to 20 of it.

    `whole` names what a finding is about that is about no single field.
    """
    return tuple(_field_error(finding, whole) for finding, _ in zip(findings, range(_MOST_ERRORS)))  # noqa: B905  # cut at the shorter


def summary(errors: Sequence[FieldError]) -> str:
    """Say what is wrong in one sentence: the first error, and how many more there are."""
    more = len(errors) - 1
    return errors[0].detail + (f" ({more} more under 'errors'.)" if more else "")


def _field_error(finding: Mapping[str, Any], whole: str) -> FieldError:
    # FastAPI puts where a value came from before its name; pydantic alone does not.
    parts = [part for at, part in enumerate(finding["loc"]) if at or part not in {_BODY, "query"}]
    field = _way(parts)
    values = dict(finding.get("ctx", {}))
    values["field"] = f"'{field}'" if parts else f"The {whole}"
    values["given"] = _GIVEN.get(type(finding["input"]), "something else")
    kind = finding["type"]
    if kind == "float_type" and type(finding["input"]) is int:  # one beyond every float
        kind = "finite_number"
    return FieldError(field=field or whole, detail=_sentence(kind, finding["msg"], values))


def _sentence(kind: str, message: str, values: Mapping[str, Any]) -> str:
    known = _SENTENCES.get(kind)
    return known.format_map(values) if known else f"{values['field']}: {message}."


def _way(parts: Sequence[str | int]) -> str:
    """Write the way to a field as a program would: products[3].name."""
    way = ""
    for part in parts:
        if isinstance(part, int):
            way += f"[{part}]"
        else:
            way += f".{_printable(part)}" if way else _printable(part)
    return way


def _printable(name: str) -> str:
    """Make a name that a client chose fit for an answer: short, and encodable as UTF-8."""
    whole = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
    return whole.encode("utf-8", "backslashreplace").decode()
