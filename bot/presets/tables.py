"""Read the rows of a preset table (CSV) as A1111, InvokeAI and spreadsheets write it.

A table may be separated by commas, semicolons or tabs, be encoded in UTF-8 (with one byte-order mark or two), UTF-16 or Windows-1252, have
more columns than Easel knows and cells over several lines. A damaged quote costs its own row and no other. The work is bounded by the
number of lines that are read and not by what they hold.
"""

import codecs
import csv
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO

#: What is read of a table: columns, lines in all, lines and characters of a row. Real tables have 3 to 10 columns.
MOST_COLUMNS, MOST_LINES = 32, 10_000
_MOST_LINES_OF_ROW, _MOST_CHARACTERS_OF_ROW = 200, 50_000

_SEPARATORS = (",", ";", "\t")
_MARK = "\ufeff"


class TooManyLines(Exception):
    """A table has more than `MOST_LINES` lines."""


class UnreadableRow(Exception):
    """A row with a damaged quote, or too long; its argument is the first cell, as far as it can be told."""


def decoded(data: bytes) -> str | None:
    """Return the text of a file in one of the encodings that spreadsheets write; None if it is no text."""
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"), (b"", "utf-8"), (b"", "cp1252")):
        if data.startswith(mark):
            try:
                said = data.decode(encoding)
            except UnicodeDecodeError:
                continue
            return None if "\x00" in said and encoding == "cp1252" else said.lstrip(_MARK)
    return None


class Table:
    """A table with a head: `names` are its columns in lower case, and `rows` yields each row by them.

    `wanted` says which heads are those of a preset table. Raises `ValueError` if the head is none of them.
    """

    def __init__(self, words: str, wanted: Sequence[frozenset[str]]) -> None:
        self._lines = _Lines(words)
        self.names, self._separator = self._head(wanted)

    def _head(self, wanted: Sequence[frozenset[str]]) -> tuple[tuple[str, ...], str]:
        first = next((line for line in self._lines if line.strip()), "")
        if len(first) <= _MOST_CHARACTERS_OF_ROW:
            for separator in _SEPARATORS:
                cells = next(csv.reader([first], delimiter=separator), [])
                # Spreadsheets write empty columns behind the last that is used.
                used = max((number for number, cell in enumerate(cells, 1) if cell.strip()), default=0)
                names = tuple(cell.strip().lower() for cell in cells[:used])
                if len(names) <= MOST_COLUMNS and all(any(one in names for one in some) for some in wanted):
                    return names, separator
        raise ValueError("no head of a preset table")

    def rows(self) -> Iterator[Mapping[str, str] | UnreadableRow]:
        """Yield each row that is not blank, or what is wrong with it. Raises `TooManyLines`."""
        for line in self._lines:
            if not line.strip():
                continue
            row = self._row(line)
            if isinstance(row, UnreadableRow):
                yield row
            elif any(cell.strip() for cell in row):
                yield dict(zip(self.names, row, strict=False))

    def _row(self, line: str) -> list[str] | UnreadableRow:
        """Return the cells of the row that begins with a line, which may end some lines later."""
        if (cells := self._cells(line)) is not None:
            return cells
        following = self._lines.to_the_next_quote(_MOST_LINES_OF_ROW)
        if following and (cells := self._cells(line + "".join(following))) is not None:
            self._lines.skip(len(following))
            return cells
        return UnreadableRow(line.partition(self._separator)[0].strip(' "'))

    def _cells(self, row: str) -> list[str] | None:
        """Return the cells of a whole row; None if its quotes do not match, or it is too long."""
        if len(row) > _MOST_CHARACTERS_OF_ROW:
            return None
        try:
            rows = list(csv.reader(StringIO(row, newline=""), delimiter=self._separator, strict=True))
        except csv.Error:
            return None
        return rows[0] if len(rows) == 1 else None


class _Lines:
    """The lines of a text, which can be looked at before they are taken; counts those that are taken."""

    def __init__(self, words: str) -> None:
        self._rest = iter(StringIO(words, newline=""))
        self._ahead: deque[str] = deque()
        self._taken = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        self._taken += 1
        if self._taken > MOST_LINES:
            raise TooManyLines
        return self._ahead.popleft() if self._ahead else next(self._rest)

    def to_the_next_quote(self, most: int) -> list[str]:
        """Return the following lines to the first with an odd number of quotes, which may close a cell; none if it is too far."""
        for number in range(most):
            if number == len(self._ahead):
                line = next(self._rest, None)
                if line is None:
                    return []
                self._ahead.append(line)
            if self._ahead[number].count('"') % 2:
                return [self._ahead[one] for one in range(number + 1)]
        return []

    def skip(self, count: int) -> None:
        """Pass over lines that were looked at."""
        for _ in range(count):
            next(self)
