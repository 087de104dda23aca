"""Normalization: what it does to text, and the position of every word in it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aisle.normalize import Token, normalize, tokenize, words

unhurried = settings(deadline=None)

# Pieces of catalogue text and of odd Unicode, in any combination.
PIECES = [
    "pan",
    "R",
    "7",
    " ",
    "_",
    "-",
    "<b>",
    "</b>",
    "<br/>",
    "<!-- no -->",
    "<",
    ">",
    "&",
    ";",
    "&eacute;",
    "&amp;",
    "&nbsp;",
    "&frac12;",
    "&#174;",
    "&#x301;",
    "&nosuch;",
    "&notit;",
    "e",
    "é",
    "ß",
    "İ",
    "ŉ",
    "ﬁ",
    "½",
    "①",
    "Ａ",
    "ｶ",
    "㎏",
    "Å",
    "ᾳ",
    "\u0301",
    "\u0323",
    "\u0334",
    "\u0345",
    "\u3099",
    "\u1100",
    "\u1161",
    "\u11a8",
    "각",
    "か",
    "שלום",
    "مرحبا",
    "\u0644\u0627",
    "ﷺ",
    "कि",
    "\u09c7",
    "\u09be",
    "🫖",
    "\u200d",
    "\ud83e",
    "\udc00",
    "\x00",
    "\u00ad",
]
any_text = st.text() | st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("Frying PAN", "frying pan"),
        ("STRASSE Straße", "strasse strasse"),
        ("stir-fry pan, 28cm (non-stick)!", "stir fry pan 28cm non stick"),
        ("snake_case", "snake case"),
        ("  two \t\n spaces ", "two spaces"),
        ("1.5 l", "1 5 l"),
        ("10² ½ ① ٣", "102 1 2 1 ٣"),
        ("Ｗｉｄｅ ｶﾞｽ ﬁre", "wide ガス fire"),
        ("cafe\u0301", "café"),
        ("<p>Cast<br/>iron</p>", "cast iron"),
        ('<a href="pan.html">lid</a>', "lid"),
        ("lid <!-- not > this,\n no --> knob", "lid knob"),
        ("Ostra&#174; pan", "ostra pan"),
        ("Ostra&#xAE;pan", "ostra pan"),
        ("caf&eacute; cr&#232;me", "café crème"),
        ("two&nbsp;words", "two words"),
        ("Brindle &amp; Co", "brindle co"),
        ("&lt;b&gt;old", "old"),
        ("&amp;lt;p&amp;gt;twice escaped", "p twice escaped"),
        ("हिन्दी", "हिन्दी"),
        ("İstanbul", "istanbul"),
        ("&nosuch; thing", "nosuch thing"),
        ("R&D", "r d"),
        ("R&D; lab", "r d lab"),
        ("3 < 5", "3 5"),
        ("2<3 & 5>4", "2 3 5 4"),
        ("<", ""),
        ("&", ""),
        ("!?", ""),
        ("🫖", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_normalize(typed, expected):
    """Markup and punctuation separate words; references are resolved, case and forms folded."""
    assert normalize(typed) == expected


@pytest.mark.parametrize(
    "separator", ["\x00", "\x1f", "\x7f", "\x85", "\u00ad", "\u200b", "\ufeff"]
)
def test_control_characters_separate_words(separator):
    """An invisible character separates two words and belongs to neither."""
    assert words(f"pan{separator}lid") == ["pan", "lid"]


@pytest.mark.parametrize("nothing", [None, "", " ", "<br>"])
def test_no_text_has_no_tokens(nothing):
    """A text without words has no tokens."""
    assert tokenize(nothing) == []


@unhurried
@given(any_text)
def test_normalize_is_idempotent(text):
    """Normalizing twice gives the same as normalizing once."""
    once = normalize(text)
    assert normalize(once) == once


@unhurried
@given(any_text)
def test_tokens_are_the_words(text):
    """Tokens and words agree, so that evidence and features see the same words."""
    assert [token.text for token in tokenize(text)] == words(text)


@pytest.mark.parametrize("mark", ["\uff9e", "\uff9f", "\u0f73", "\u0f75", "\u0f81"])
def test_tokens_are_the_words_across_marks_in_disguise(mark):
    """A character that becomes a combining mark does not separate an accent from its letter."""
    text = f"e{mark}\u0301"
    assert [token.text for token in tokenize(text)] == words(text)


@unhurried
@given(any_text)
def test_offsets_are_spans_of_the_text(text):
    """Every token spans at least one character of the original text."""
    assert all(0 <= token.start < token.end <= len(text) for token in tokenize(text))


@unhurried
@given(any_text)
def test_offsets_ascend(text):
    """Tokens are in the order of the text."""
    starts = [token.start for token in tokenize(text)]
    assert starts == sorted(starts)


@unhurried
@given(st.text(st.characters(max_codepoint=127, exclude_characters="<&")))
def test_offsets_of_plain_text_are_exact(text):
    """In plain ASCII, a token equals the characters that it spans, except for case."""
    tokens = tokenize(text)
    assert [text[token.start : token.end].casefold() for token in tokens] == words(text)


@unhurried
@given(st.text(st.characters(max_codepoint=127, exclude_characters="<&")))
def test_offsets_do_not_depend_on_the_shortcut_for_plain_text(text):
    """A non-ASCII character at the end does not move the tokens before it."""
    assert tokenize(text + " ®") == tokenize(text)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("Frying PAN", [Token("frying", 0, 6), Token("pan", 7, 10)]),
        ("Caf&eacute; bar", [Token("café", 0, 11), Token("bar", 12, 15)]),
        ("&eacute;t&eacute;", [Token("été", 0, 17)]),
        ("<b>Pan</b> lid", [Token("pan", 3, 6), Token("lid", 11, 14)]),
        ("A&amp;B", [Token("a", 0, 1), Token("b", 6, 7)]),
        ("&frac12; cup", [Token("1", 0, 8), Token("2", 0, 8), Token("cup", 9, 12)]),
        ("🫖 pot", [Token("pot", 2, 5)]),
        ("cafe\u0301 pot", [Token("café", 0, 5), Token("pot", 6, 9)]),
        ("e\u0334\u0301 pot", [Token("\u00e9\u0334", 0, 3), Token("pot", 4, 7)]),
        ("ﬁre", [Token("fire", 0, 3)]),
        ("Straße 1", [Token("strasse", 0, 6), Token("1", 7, 8)]),
        ("\u1100\u1161\u11a8 1", [Token("각", 0, 3), Token("1", 4, 5)]),
        ("ｶﾞ", [Token("ガ", 0, 2)]),
        ("3 < pan", [Token("3", 0, 1), Token("pan", 4, 7)]),
    ],
)
def test_offsets_cover_what_a_word_was_made_of(typed, expected):
    """A span covers whole references, accents, ligatures and jamo, but no markup around a word."""
    assert tokenize(typed) == expected
