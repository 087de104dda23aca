"""What was computed once for a word, kept for the next product that has it."""

from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Memo(dict[str, Value], Generic[Value]):
    """A function of words that remembers its results: `memo[word]`.

    A dictionary, since looking up a whole text's words in one is quicker than a call for each. It
    keeps `most` results, and none of words longer than `longest`: part numbers and unspaced scripts
    hardly come again. An instance may be shared between threads.
    """

    def __init__(self, function: Callable[[str], Value], *, most: int, longest: int) -> None:
        super().__init__()
        self._function = function
        self._most = most
        self._longest = longest

    def __missing__(self, word: str) -> Value:
        """Compute the result of a word that is not there."""
        found = self._function(word)
        if len(word) <= self._longest and len(self) < self._most:
            self[word] = found
        return found
