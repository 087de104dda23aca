"""The cache of what was computed for words."""

from aisle.model.memo import Memo


def test_a_result_is_computed_once():
    """The function is called once per word."""
    calls = []
    lengths = Memo(lambda word: calls.append(word) or len(word), most=10, longest=10)
    assert [lengths[word] for word in ("pan", "kettle", "pan")] == [3, 6, 3]
    assert calls == ["pan", "kettle"]


def test_the_cache_is_bounded():
    """The cache keeps the first words up to its size, and still computes the others."""
    lengths = Memo(len, most=2, longest=10)
    assert [lengths[word] for word in ("pan", "kettle", "lid", "lid")] == [3, 6, 3, 3]
    assert dict(lengths) == {"pan": 3, "kettle": 6}


def test_long_words_are_not_cached():
    """Words longer than the limit are computed every time; one as long as it is cached."""
    lengths = Memo(len, most=10, longest=3)
    assert (lengths["pans"], lengths["pan"]) == (4, 3)
    assert dict(lengths) == {"pan": 3}
