"""A cache of what was computed for a word, for the next product that has it."""

from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Memo(dict[str, Value], Generic[Value]):
    """A function of words that caches its results: `memo[word]`.

    It is a dictionary because mapping a text's words over `__getitem__` is faster than a call per
    word. It keeps `most` results, and none for words longer than `longest`: part numbers and
    unspaced scripts rarely occur twice. An instance may be shared between threads.
    """

    def __init__(self, function: Callable[[str], Value], *, most: int, longest: int) -> None:
        super().__init__()
        self._function = function
        self._most = most
        self._longest = longest

    def __missing__(self, word: str) -> Value:
        """Compute the result of a word that is not cached."""
        result = self._function(word)
        if len(word) <= self._longest and len(self) < self._most:
            self[word] = result
        return result
