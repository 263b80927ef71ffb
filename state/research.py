"""A text for research: what of a page is text, and the pieces it is kept in."""

from html.parser import HTMLParser
from typing import Final

CHUNK: Final = 4000
_HIDDEN: Final = frozenset({"script", "style", "noscript", "template", "svg"})
_BREAKS: Final = frozenset({"p", "br", "div", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "section", "article"})


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.title: list[str] = []
        self._hidden = 0
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in _HIDDEN
        self._in_title = self._in_title or tag == "title"
        if tag in _BREAKS:
            self.pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _HIDDEN:
            self._hidden = max(0, self._hidden - 1)
        if tag == "title":
            self._in_title = False

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title.append(data)
        elif not self._hidden:
            self.pieces.append(data)


def storable(text: str) -> str:
    """The text without what PostgreSQL cannot hold: NUL and halves of characters."""
    return "".join(" " if character == "\x00" or "\ud800" <= character <= "\udfff" else character for character in text)


def text_of_html(page: str) -> tuple[str, str | None]:
    """(the text of an HTML page without scripts and styles, its title or None)."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    lines = (" ".join(line.split()) for line in "".join(reader.pieces).splitlines())
    return "\n".join(line for line in lines if line), " ".join("".join(reader.title).split()) or None


def chunks(text: str, size: int = CHUNK) -> list[str]:
    """The text in pieces of at most `size` characters, cut at line ends or spaces where there are any."""
    pieces = []
    rest = text.strip()
    while len(rest) > size:
        cut = max(rest.rfind("\n", size // 2, size), rest.rfind(" ", size // 2, size))
        cut = size if cut < 0 else cut
        pieces.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return [*pieces, rest] if rest else pieces
