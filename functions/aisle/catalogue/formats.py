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
_AFTER_ITEM: Final = ",] \t\r\n"
_DELIMITERS: Final = ",;\t"
_TAIL: Final = 16
"""A parse error this close to the end of the text may only mean that more text is needed: the
longest token, `-Infinity`, has 9 characters."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a file as read, and the line it begins at; `problem` says why it is unusable."""

    line: int
    value: Any
    problem: str | None = None


def read_rows(
    stream: BinaryIO, name: str, columns: Columns, needs: Collection[str] = ()
) -> Iterator[Row]:
    """Yield the rows of a file in order; raise DataError if its content is malformed."""
    lines = _Lines(stream, name)
    for line in lines:
        if start := line.strip():
            break
    else:
        return
    lines.probing = False
    if start.startswith(b"["):
        yield from _array(stream, line, lines.number, name)
    elif start.startswith(b"{"):
        yield from _json_lines(line, lines, name)
    else:
        yield from _table(line, lines, name, columns, needs)


class _Lines:
    """The lines of a stream as bytes, limited in length."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream, self._name = stream, name
        self.number = 0
        self.probing = True
        """While true, a line in which an array begins may be returned in part."""

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
            raise _too_long(self._name, self.number, "line")
        return line


def _json_lines(first: bytes, lines: _Lines, name: str) -> Iterator[Row]:
    line = first
    while True:
        if line.strip():
            yield Row(lines.number, _decode(line, lines.number, name, json.loads))
        next_line = next(lines, None)
        if next_line is None:
            return
        line = next_line


def _table(
    first: bytes, lines: _Lines, name: str, columns: Columns, needs: Collection[str]
) -> Iterator[Row]:
    def texts() -> Iterator[str]:
        yield _text(first, lines.number, name)
        for line in lines:
            yield _text(line, lines.number, name)

    # The csv module's default is 128 kB; the limit is global to the process.
    csv.field_size_limit(LONGEST)
    before = lines.number - 1
    reader = csv.reader(texts(), delimiter=_delimiter(first, columns), strict=True)
    try:
        header = [cell.strip() for cell in next(reader)]
        _check_header(header, name, columns, needs)
        begins = reader.line_num
        for cells in reader:
            line, begins = before + begins + 1, reader.line_num
            if len(cells) > len(header):
                yield Row(line, cells, "with more cells than the header has")
            elif cells:
                yield Row(line, dict(zip(header, cells, strict=False)))
    except csv.Error as error:
        raise DataError(
            f"{name} is not CSV at line {before + reader.line_num}: {error}. Expected cells of at "
            f"most {LONGEST:,} characters, with every quote closed, and quotes in a quoted cell "
            "doubled. Correct the line, or an unclosed quote before it."
        ) from error


def _delimiter(first: bytes, columns: Columns) -> str:
    """Choose the delimiter that gives the most expected columns, then the most columns."""
    expected = {column for field in RECORD_FIELDS for column in columns.of(field)}
    text = first.decode("utf-8", "replace")

    def columns_found(delimiter: str) -> tuple[int, int]:
        cells = [cell.strip() for cell in next(csv.reader([text], delimiter=delimiter), [])]
        return len(expected & set(cells)), len(cells)

    return max(_DELIMITERS, key=columns_found)


def _check_header(header: list[str], name: str, columns: Columns, needs: Collection[str]) -> None:
    required = [field for field in RECORD_FIELDS if field in {*needs, *columns.given}]
    missing = [column for field in required for column in columns.of(field) if column not in header]
    explicit = {"name", "description"} & columns.given
    if not explicit and not {columns.name, columns.description} & set(header):
        missing[:0] = [f"{columns.name} or {columns.description}"]
    used = {column for field in RECORD_FIELDS for column in columns.of(field)}
    repeated = [column for column in header if column in used and header.count(column) > 1]
    if missing or repeated:
        problem = f"{missing[0]} is missing" if missing else f"{repeated[0]} appears twice"
        names = ", ".join(header)
        raise DataError(
            f"The columns of {name} cannot be used: the column {problem}. Its header has: "
            f"{names[:1000] + (' …' if len(names) > 1000 else '')}. Expected a name or "  # noqa: PLR2004
            "a description and, for training, a category. Say which column holds which field: "
            "--columns name=title,category=dept+aisle, or a --mapping file."
        )


def _array(stream: BinaryIO, first: bytes, line: int, name: str) -> Iterator[Row]:
    """Parse an array item by item; only about one item of its text is in memory at a time."""
    window = _Window(stream, first, line, name)
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
        raise _not_json(name, window.line, "there is more text after the array")


class _Window:
    """The part of an array's text that is being parsed."""

    def __init__(self, stream: BinaryIO, first: bytes, line: int, name: str) -> None:
        self._stream, self._name = stream, name
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._read_line = line  # the line number at the end of the text read so far
        self._ended = False
        self._text, self._at = "", 0
        self.line = line
        self._append(first)

    def peek(self) -> str:
        """Skip white space; return the next character, or an empty string at the end."""
        while True:
            space = _SPACE.match(self._text, self._at)
            self._advance(space.end() if space else self._at)
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def skip(self, expected: str) -> None:
        """Step over the expected character; raise DataError if it is another."""
        char = self.peek()
        if char != expected:
            problem = f"{char!r} was found" if char else "the array is cut off"
            raise _not_json(self._name, self.line, f"{problem} where {expected!r} was expected")
        self._advance(self._at + 1)

    def item(self) -> Any:  # noqa: ANN401  # any JSON value
        """Step over the next item and return it."""
        while True:
            try:
                value, end = _SCAN(self._text, self._at)
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated") or error.pos > len(self._text) - _TAIL
                if self._ended or not cut:
                    line = self.line + self._text.count("\n", self._at, error.pos)
                    raise _not_json(self._name, line, error.msg) from error
            except RecursionError:
                raise _too_deep(self._name, self.line) from None
            except ValueError as error:  # a number with more digits than Python converts
                raise _not_json(self._name, self.line, str(error)) from error
            else:
                left = len(self._text) - end
                # Until the rest of an exponent is read, "-0.5e" parses as -0.5 and a letter.
                if left > _TAIL or (left and self._text[end] in _AFTER_ITEM):
                    _check_depth(self._text[self._at : end], value, self._name, self.line)
                    self._advance(end)
                    return value
            if len(self._text) - self._at > LONGEST:
                raise _too_long(self._name, self.line, "item")
            if self._ended:
                raise _not_json(self._name, self.line, "the array is cut off")
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
            raise _not_utf8(self._name, self._read_line + before, error) from error
        self._read_line += text.count("\n")
        self._text, self._at = self._text[self._at :] + text, 0


_SCAN: Final = json.JSONDecoder().raw_decode


def _decode(line: bytes, number: int, name: str, parse: Callable[[str], Any]) -> Any:  # noqa: ANN401  # any JSON value
    text = _text(line, number, name)
    try:
        value = parse(text)
    except RecursionError:
        raise _too_deep(name, number) from None
    except ValueError as error:
        raise _not_json(name, number, str(error)) from error
    _check_depth(text, value, name, number)
    return value


def _text(line: bytes, number: int, name: str) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _not_utf8(name, number, error) from error


def _check_depth(text: str, value: Any, name: str, line: int) -> None:  # noqa: ANN401  # any JSON value
    """Raise DataError if a value is nested so deeply that encoding it again would fail."""
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
    raise _too_deep(name, line)


def _not_json(name: str, line: int, reason: str) -> DataError:
    return DataError(
        f"{name} is not JSON at line {line}: {reason}. Expected one JSON array, or one JSON object "
        "per line. Correct the file at that line, or export it again."
    )


def _too_deep(name: str, line: int) -> DataError:
    return _not_json(name, line, f"it is nested deeper than {_DEEPEST} levels")


def _not_utf8(name: str, line: int, error: UnicodeDecodeError) -> DataError:
    byte = error.object[error.start]
    return DataError(
        f"{name} is not UTF-8 at line {line}: the byte 0x{byte:02x} was found. Expected text in "
        "UTF-8, optionally gzipped. Save the file as UTF-8."
    )


def _too_long(name: str, number: int, what: str) -> DataError:
    return DataError(
        f"{name} cannot be read: the {what} at line {number} is longer than {LONGEST:,} bytes. "
        "Expected one product per line or item. Write each product in its own line or item."
    )
