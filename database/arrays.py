"""PostgreSQL array literals: thousands of values as one parameter, which costs far less than an ARRAY[...] of them."""

from collections.abc import Iterable


def array(values: Iterable[str]) -> str:
    """The literal of an array of words that need no quotes: numbers and ISO times."""
    return "{" + ",".join(values) + "}"


def text_array(values: Iterable[str | None]) -> str:
    """The literal of an array of any texts; None becomes NULL."""
    quoted: dict[str | None, str] = {None: "NULL"}
    pieces = []
    for value in values:
        piece = quoted.get(value)
        if piece is None:
            piece = quoted[value] = '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
        pieces.append(piece)
    return array(pieces)
