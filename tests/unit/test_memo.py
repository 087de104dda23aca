"""The cache of results that are computed per word."""

from aisle.model.memo import Memo


def test_a_result_is_computed_once():
    """The function is called once per distinct word."""
    calls = []
    lengths = Memo(lambda word: calls.append(word) or len(word), most=10, longest=10)
    assert [lengths[word] for word in ("pan", "kettle", "pan")] == [3, 6, 3]
    assert calls == ["pan", "kettle"]


def test_the_cache_is_bounded():
    """A full cache keeps its words and computes the others every time."""
    lengths = Memo(len, most=2, longest=10)
    assert [lengths[word] for word in ("pan", "kettle", "lid", "lid")] == [3, 6, 3, 3]
    assert dict(lengths) == {"pan": 3, "kettle": 6}


def test_long_words_are_not_cached():
    """Only words of at most `longest` characters are cached."""
    lengths = Memo(len, most=10, longest=3)
    assert (lengths["pans"], lengths["pan"]) == (4, 3)
    assert dict(lengths) == {"pan": 3}
