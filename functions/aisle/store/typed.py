"""Objects of the store that are JSON, checked for what they should be when they are read."""

import json
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from aisle.errors import MalformedObjectError
from aisle.json_text import parse_json

REPLACED: Final = "Delete it: the next training run, or the next look at the feedback, writes it."
"""What to do about an object that is written anew all the time."""

_RESTORED: Final = "Put back an earlier version of it, or delete it."

T = TypeVar("T")


def parse(key: str, data: bytes, kind: TypeAdapter[T], *, advice: str = _RESTORED) -> T:
    """Return an object's JSON as a dataclass or a model; what that does not know is left out.

    Raises MalformedObjectError, which names the object and ends with `advice`.
    """
    try:
        return kind.validate_json(data)
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, each['loc']))}: {each['msg']}" if each["loc"] else each["msg"]
            for each in error.errors(include_url=False, include_input=False)
        ]
        raise _malformed(key, "; ".join(problems), advice) from error


def parse_facts(key: str, data: bytes) -> dict[str, Any]:
    """Return an object's JSON object as it is; raise MalformedObjectError where it is none.

    So it does for what could not be sent on: a number that is not finite, half a character.
    """
    try:
        facts = parse_json(data)
        json.dumps(facts, allow_nan=False, ensure_ascii=False).encode()
    except ValueError as error:
        raise _malformed(key, str(error), _RESTORED) from error
    if not isinstance(facts, dict):
        raise _malformed(key, "it is no JSON object", _RESTORED)
    return facts


def _malformed(key: str, problem: str, advice: str) -> MalformedObjectError:
    return MalformedObjectError(
        f"{key} cannot be used: {problem}. Expected was what Aisle writes there. {advice}"
    )
