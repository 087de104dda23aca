"""The formats of a catalogue, told apart by content: JSON array, JSON lines, or a table."""

import codecs
import csv
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from aisle.catalogue.columns import RECORD_FIELDS, Columns
from aisle.errors import DataError

LONGEST: Final = 16 << 20
"""The most bytes of a line, or characters of an item of an array or a cell of a table."""
CHUNK_BYTES: Final = 1 << 20
"""How much of a file is read at once."""
_DEEPEST: Final = 100
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_AFTER: Final = ",] \t\r\n"
_DELIMITERS: Final = ",;\t"
_TAIL: Final = 16
"""How near its end a text may fail to parse only because it goes on; `-Infinity` takes 9."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a file as it was, and the line it begins at; `problem` where it is none."""

    line: int
    value: Any
    problem: str | None = None


def read_rows(
    stream: BinaryIO, shown: str, columns: Columns, needs: Collection[str] = ()
) -> Iterator[Row]:
    """Yield the rows of a file in order; raise DataError where there is something else in it."""
    lines = _Lines(stream, shown)
    for line in lines:
        if start := line.strip():
            break
    else:
        return
    lines.probing = False
    if start.startswith(b"["):
        yield from _array(stream, line, lines.number, shown)
    elif start.startswith(b"{"):
        yield from _json_lines(line, lines, shown)
    else:
        yield from _table(line, lines, shown, columns, needs)


class _Lines:
    """The lines of a stream as bytes, none of them too long."""

    def __init__(self, stream: BinaryIO, shown: str) -> None:
        self._stream, self._shown = stream, shown
        self.number = 0
        self.probing = True
        """While it is so, the first part of a line is enough if an array begins in it."""

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        line = self._stream.readline(CHUNK_BYTES)
        if not line:
            raise StopIteration
        self.number += 1
        if self.number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        if line.endswith(b"\n") or (self.probing and line.lstrip().startswith(b"[")):
            return line
        line += self._stream.readline(LONGEST - len(line) + 1)
        if len(line) > LONGEST:
            raise _too_long(self._shown, self.number, "line")
        return line


def _json_lines(first: bytes, lines: _Lines, shown: str) -> Iterator[Row]:
    line = first
    while True:
        if line.strip():
            yield Row(lines.number, _decode(line, lines.number, shown, json.loads))
        following = next(lines, None)
        if following is None:
            return
        line = following


def _table(
    first: bytes, lines: _Lines, shown: str, columns: Columns, needs: Collection[str]
) -> Iterator[Row]:
    def texts() -> Iterator[str]:
        yield _text(first, lines.number, shown)
        for line in lines:
            yield _text(line, lines.number, shown)

    # The limit of the csv module is 128 kB, and one for the whole process.
    csv.field_size_limit(LONGEST)
    before = lines.number - 1
    reader = csv.reader(texts(), delimiter=_delimiter(first, columns), strict=True)
    try:
        header = [name.strip() for name in next(reader)]
        _check_header(header, shown, columns, needs)
        begins = reader.line_num
        for cells in reader:
            line, begins = before + begins + 1, reader.line_num
            if len(cells) > len(header):
                yield Row(line, cells, "with more cells than the header has")
            elif cells:
                yield Row(line, dict(zip(header, cells, strict=False)))
    except csv.Error as error:
        raise DataError(
            f"{shown} is not CSV at line {before + reader.line_num}: {error}. Expected were cells "
            f"of at most {LONGEST:,} characters, with each quote closed, and doubled where it is "
            "part of a quoted text. Correct the line, or a quote before it."
        ) from error


def _delimiter(first: bytes, columns: Columns) -> str:
    """Choose what gives the header the most of the expected columns, then the most at all."""
    expected = {column for field in RECORD_FIELDS for column in columns.of(field)}
    text = first.decode("utf-8", "replace")

    def found(delimiter: str) -> tuple[int, int]:
        cells = [cell.strip() for cell in next(csv.reader([text], delimiter=delimiter), [])]
        return len(expected & set(cells)), len(cells)

    return max(_DELIMITERS, key=found)


def _check_header(header: list[str], shown: str, columns: Columns, needs: Collection[str]) -> None:
    wanted = [field for field in RECORD_FIELDS if field in {*needs, *columns.given}]
    missing = [column for field in wanted for column in columns.of(field) if column not in header]
    named = {"name", "description"} & columns.given
    if not named and not {columns.name, columns.description} & set(header):
        missing[:0] = [f"{columns.name} or {columns.description}"]
    twice = [name for name in dict.fromkeys(header) if header.count(name) > 1]
    twice = [name for name in twice if any(name in columns.of(field) for field in RECORD_FIELDS)]
    if missing or twice:
        what = f"the column {missing[0]} is missing" if missing else f"{twice[0]} is there twice"
        names = ", ".join(header)
        raise DataError(
            f"The columns of {shown} cannot be used: {what}. Its header has: "
            f"{names[:1000] + (' …' if len(names) > 1000 else '')}. Expected was a name or a "  # noqa: PLR2004
            "description, and to learn from, a category. Say which column holds what: --columns "
            "name=title,category=dept+aisle, or a --mapping file."
        )


def _array(stream: BinaryIO, first: bytes, line: int, shown: str) -> Iterator[Row]:
    """Parse an array item by item, with a window on the text that is about an item wide."""
    window = _Window(stream, first, line, shown)
    window.skip("[")
    if window.peek() == "]":
        window.skip("]")
    else:
        while True:
            window.peek()
            line = window.line
            yield Row(line, window.item())
            if window.peek() == "]":
                window.skip("]")
                break
            window.skip(",")
    if window.peek():
        raise _not_json(shown, window.line, "something follows the array")


class _Window:
    """The part of an array's text that is being parsed."""

    def __init__(self, stream: BinaryIO, first: bytes, line: int, shown: str) -> None:
        self._stream, self._shown = stream, shown
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._read_line = line  # of the end of what has been read
        self._ended = False
        self._text, self._at = "", 0
        self.line = line
        self._append(first)

    def peek(self) -> str:
        """Skip white space; return the next character, or nothing at the end."""
        while True:
            space = _SPACE.match(self._text, self._at)
            self._advance(space.end() if space else self._at)
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def skip(self, expected: str) -> None:
        """Step over a character, which must be the one expected."""
        found = self.peek()
        if found != expected:
            what = f"{found!r} was found" if found else "the array is cut off"
            raise _not_json(self._shown, self.line, f"{what} where {expected!r} was expected")
        self._advance(self._at + 1)

    def item(self) -> Any:  # noqa: ANN401  # whatever the JSON holds
        """Step over the next item and return it."""
        while True:
            try:
                value, end = _SCAN(self._text, self._at)
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated") or error.pos > len(self._text) - _TAIL
                if self._ended or not cut:
                    line = self.line + self._text.count("\n", self._at, error.pos)
                    raise _not_json(self._shown, line, error.msg) from error
            except RecursionError:
                raise _too_deep(self._shown, self.line) from None
            except ValueError as error:  # a number of more digits than Python converts
                raise _not_json(self._shown, self.line, str(error)) from error
            else:
                left = len(self._text) - end
                # -0.5e is -0.5 and a letter until the rest of the exponent is there.
                if left > _TAIL or (left and self._text[end] in _AFTER):
                    _check_depth(self._text[self._at : end], value, self._shown, self.line)
                    self._advance(end)
                    return value
            if len(self._text) - self._at > LONGEST:
                raise _too_long(self._shown, self.line, "item")
            if self._ended:
                raise _not_json(self._shown, self.line, "the array is cut off")
            self._more()

    def _advance(self, to: int) -> None:
        self.line += self._text.count("\n", self._at, to)
        self._at = to

    def _more(self) -> bool:
        if self._ended:
            return False
        chunk = self._stream.read(CHUNK_BYTES)
        self._ended = not chunk
        self._append(chunk)
        return not self._ended

    def _append(self, chunk: bytes) -> None:
        try:
            text = self._decoder.decode(chunk, final=self._ended)
        except UnicodeDecodeError as error:
            before = error.object[: error.start].count(b"\n")
            raise _not_utf8(self._shown, self._read_line + before, error) from error
        self._read_line += text.count("\n")
        self._text, self._at = self._text[self._at :] + text, 0


_SCAN: Final = json.JSONDecoder().raw_decode


def _decode(line: bytes, number: int, shown: str, parse: Callable[[str], Any]) -> Any:  # noqa: ANN401  # whatever the JSON holds
    text = _text(line, number, shown)
    try:
        value = parse(text)
    except RecursionError:
        raise _too_deep(shown, number) from None
    except ValueError as error:
        raise _not_json(shown, number, str(error)) from error
    _check_depth(text, value, shown, number)
    return value


def _text(line: bytes, number: int, shown: str) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _not_utf8(shown, number, error) from error


def _check_depth(text: str, value: Any, shown: str, line: int) -> None:  # noqa: ANN401  # whatever the JSON holds
    """Raise DataError for what is nested so deep that writing it again would fail."""
    if text.count("[") + text.count("{") <= _DEEPEST:
        return
    level: Iterable[Any] = [value]
    for _ in range(_DEEPEST + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return
    raise _too_deep(shown, line)


def _not_json(shown: str, line: int, reason: str) -> DataError:
    return DataError(
        f"{shown} is not JSON at line {line}: {reason}. Expected was one JSON array, or one JSON "
        "object a line. Correct the file there, or write it anew."
    )


def _too_deep(shown: str, line: int) -> DataError:
    return _not_json(shown, line, f"it is nested deeper than {_DEEPEST} levels")


def _not_utf8(shown: str, line: int, error: UnicodeDecodeError) -> DataError:
    byte = error.object[error.start]
    return DataError(
        f"{shown} is not UTF-8 at line {line}: the byte 0x{byte:02x} was found. Expected was text "
        "in UTF-8, perhaps gzipped. Save the file as UTF-8."
    )


def _too_long(shown: str, number: int, what: str) -> DataError:
    return DataError(
        f"{shown} cannot be read: the {what} at line {number} is longer than {LONGEST:,} bytes. "
        "Expected was one product, which is shorter. Write each product in a line or item of its "
        "own."
    )
