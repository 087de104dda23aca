"""Text as typed -> words: the one normalisation that training and serving share.

A change here changes the input of every trained model, so each bundle's manifest records
`NORMALIZER_VERSION`, and a bundle of another version is refused.
"""

import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

NORMALIZER_VERSION = 1

# Markup in the descriptions of catalogues: a tag, a comment, or a character reference.
_MARKUP = re.compile(
    r"<!--[^<]*?-->|</?[A-Za-z][^<>]*>|&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|\w{2,31});"
)
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Token:
    """A normalised word and its span in the text as typed, in code points."""

    text: str
    start: int
    end: int


def normalize(text: str | None) -> str:
    r"""Return the text as the model reads it: its words, lower-case, one space between.

    Markup is dropped, character references are resolved, compatibility forms are unified (NFKC,
    Unicode Standard Annex 15), and everything but letters and digits separates words.

    >>> normalize("Caf&eacute; <b>ＴＶ</b>-Stand, 55\"")
    'café tv stand 55'
    >>> normalize(None)
    ''
    """
    return " ".join(words(text))


def words(text: str | None) -> list[str]:
    """Return the normalised words of a text, in order."""
    return [*_words(text)] if text else []


def tokenize(text: str | None) -> list[Token]:
    """Return the same words as `words`, each with its span in the text as typed.

    >>> [(token.text, token.start, token.end) for token in tokenize("R&amp;D kit")]
    [('r', 0, 1), ('d', 6, 7), ('kit', 8, 11)]
    """
    if not text:
        return []
    if text.isascii() and "<" not in text and "&" not in text:
        return [Token(m.group(), m.start(), m.end()) for m in _WORD.finditer(text.lower())]
    plain, origin = _with_origins(text)
    return [
        Token(m.group(), origin[m.start()][0], origin[m.end() - 1][1])
        for m in _word(plain).finditer(plain)
    ]


# TF-IDF, word vectors and the second stage each need the words of the same few texts in turn.
@lru_cache(maxsize=512)
def _words(text: str) -> tuple[str, ...]:
    if "<" in text or "&" in text:
        # Twice: markup is often escaped, and sometimes the escapes are escaped again.
        text = _MARKUP.sub(_plain, _MARKUP.sub(_plain, text))
    if text.isascii():
        return tuple(_WORD.findall(text.casefold()))
    text = _folded(text)
    return tuple(_word(text).findall(text))


def _plain(markup: re.Match[str]) -> str:
    """Resolve a character reference; replace a tag by a space, because tags separate words."""
    text = markup.group()
    return html.unescape(text) if text[0] == "&" else " "


def _with_origins(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Normalise a text; return it with the source span of each resulting character."""
    characters, spans = list(text), [(at, at + 1) for at in range(len(text))]
    for _ in range(2):
        characters, spans = _without_markup(characters, spans)
    plain: list[str] = []
    origin: list[tuple[int, int]] = []
    for start, end in _clusters(characters):
        normal = _folded("".join(characters[start:end]))
        plain += normal
        origin += [(spans[start][0], spans[end - 1][1])] * len(normal)
    return "".join(plain), origin


def _without_markup(
    characters: list[str], spans: list[tuple[int, int]]
) -> tuple[list[str], list[tuple[int, int]]]:
    kept: list[str] = []
    origin: list[tuple[int, int]] = []
    at = 0
    for markup in _MARKUP.finditer("".join(characters)):
        start, end = markup.span()
        resolved = _plain(markup)
        kept += [*characters[at:start], *resolved]
        origin += [*spans[at:start], *[(spans[start][0], spans[end - 1][1])] * len(resolved)]
        at = end
    return kept + characters[at:], origin + spans[at:]


def _folded(text: str) -> str:
    """Return a text with compatible characters unified and case folded (NFKC_Casefold).

    İ folds to an i with a combining dot above; the dot is dropped, so that it equals a plain i.
    """
    return _nfkc(_nfkc(text).casefold().replace("i\u0307", "i"))


def _word(text: str) -> re.Pattern[str]:
    """Return the pattern of a word in a folded text.

    Many scripts write vowels as combining marks, which are not letters to `re`.
    """
    marks = {character for character in set(text) if unicodedata.category(character)[0] == "M"}
    return _word_with("".join(sorted(marks))) if marks else _WORD


@lru_cache(maxsize=256)
def _word_with(marks: str) -> re.Pattern[str]:
    return re.compile(rf"(?:[^\W_]|[{marks}])+")


def _clusters(characters: list[str]) -> Iterator[tuple[int, int]]:
    """Split a text into the shortest spans that normalise independently of each other."""
    start = 0
    for i in range(1, len(characters) + 1):
        if i < len(characters) and not characters[i].isascii():
            if unicodedata.combining(_nfkc(characters[i])[0]):
                continue
            head, tail = "".join(characters[start:i]), characters[i]
            if _nfkc(head + tail) != _nfkc(head) + _nfkc(tail):
                continue
        if start < i:
            yield start, i
        start = i


def _nfkc(text: str) -> str:
    return unicodedata.normalize("NFKC", text)
