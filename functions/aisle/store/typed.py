"""JSON objects of the store, validated when they are read."""

import json
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from aisle.errors import MalformedObjectError
from aisle.json_text import parse_json

REPLACED: Final = "Delete it: the next training job or feedback check writes it again."
"""The advice for an object that is rewritten regularly."""

_RESTORED: Final = "Restore an earlier version of it, or delete it."

T = TypeVar("T")


def parse(key: str, data: bytes, kind: TypeAdapter[T], *, advice: str = _RESTORED) -> T:
    """Parse an object's JSON as a dataclass or a model; unknown fields are ignored.

    Raises MalformedObjectError, which names the object and ends with `advice`.
    """
    try:
        return kind.validate_json(data)
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}"
            if detail["loc"]
            else detail["msg"]
            for detail in error.errors(include_url=False, include_input=False)
        ]
        raise _malformed(key, "; ".join(problems), advice) from error


def parse_facts(key: str, data: bytes) -> dict[str, Any]:
    """Parse an object's content as a JSON object; raise MalformedObjectError if it is not one.

    Numbers that are not finite and lone surrogates are also refused: they cannot be sent as JSON.
    """
    try:
        facts = parse_json(data)
        json.dumps(facts, allow_nan=False, ensure_ascii=False).encode()
    except ValueError as error:
        raise _malformed(key, str(error), _RESTORED) from error
    if not isinstance(facts, dict):
        raise _malformed(key, "it is not a JSON object", _RESTORED)
    return facts


def _malformed(key: str, problem: str, advice: str) -> MalformedObjectError:
    return MalformedObjectError(
        f"{key} cannot be used: {problem}. Expected what Aisle writes there. {advice}"
    )
