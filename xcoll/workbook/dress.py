"""What nbconvert leaves open in a page: headings, tables, descriptions, links, addresses."""

import re
from collections.abc import Sequence
from html import escape
from html.parser import HTMLParser
from itertools import zip_longest

from bs4 import BeautifulSoup, NavigableString, Tag
from bs4.element import PreformattedString

from xcoll.errors import RunError

__all__ = [
    "Markup",
    "bring_forward",
    "dressed",
    "figures",
    "fold_plumbing",
    "hold_punctuation",
    "list_on_paper",
    "number_headings",
    "parse",
    "refuse_addresses",
    "space_percent",
    "spaced",
    "tables",
    "write_out_links",
]

HEADING = re.compile("^h[1-6]$")
NUMBER = re.compile(r"[-−+]?[$€]?[\d,]*\.?\d+(e[-+]?\d+)?\s?(%|bp|pt|k|M|bn|x|×)?", re.IGNORECASE)
MISSING = {"", "–", "-", "nan", "NaN", "NaT", "None"}
AFAR = re.compile(r"\s*([a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
CSS_AFAR = re.compile(r"(url\(\s*|@import\s+)['\"]?\s*([a-z]+:)?//", re.IGNORECASE)
PERCENT = re.compile(r"(?<=\d) ?%(?!\w)")
PUNCTUATION = re.compile(r"[.,;:!?)\]”’%-]+")
LOADING = {"action", "data", "href", "poster", "src", "srcset", "xlink:href"}
SHORT = 20  # letters of a text that stays on one line
LONGEST = 300  # letters of a description
FEWEST = 4  # sections that are worth a list on paper


class Markup(PreformattedString):
    """Finished HTML that a tree takes in as it is."""

    PREFIX = SUFFIX = ""


def parse(text: str) -> BeautifulSoup:
    """The HTML `text` as a tree."""
    return BeautifulSoup(text, "html.parser")


def bring_forward(article: BeautifulSoup) -> None:
    """Move the sections of cells tagged ``front`` right under the page's heading.

    A committee reads the answer first; the notebook can only compute it last.
    """
    first = article.find("section")
    for section in reversed(article.select("section.front")):
        first.insert_after(section.extract())


def fold_plumbing(article: BeautifulSoup) -> None:
    """Fold the words before code that shows nothing with the code; parameters stay off paper.

    What a notebook imports and opens is no part of the story that its page tells.
    """
    for prose in article.select("section.prose"):
        after = prose.find_next_sibling("section")
        if after is None or "prose" in after.get("class", ()):
            continue
        if after.select_one("details.parameters:not([open])"):
            prose["class"] = [*prose["class"], "screen"]
        shows = [part for part in after.find_all(True, recursive=False) if part.name != "details"]
        if not shows and not prose.find(HEADING):
            for part in reversed(prose.find_all(True, recursive=False)):
                after.summary.insert_after(part.extract())
            prose.decompose()


def dressed(article: BeautifulSoup) -> list[tuple[int, str, str]]:
    """Do all of the below to a whole page, and list its headings as (level, anchor, text)."""
    fold_plumbing(article)
    contents = number_headings(article)
    tables(article)
    figures(article)
    space_percent(article)
    write_out_links(article)
    hold_punctuation(article)
    list_on_paper(article, contents)
    return contents


def number_headings(article: BeautifulSoup) -> list[tuple[int, str, str]]:
    """Give every heading its anchor, leave no level out, and list (level, anchor, text)."""
    contents: list[tuple[int, str, str]] = []
    seen: dict[str, int] = {}
    above = 0
    for heading in article.find_all(HEADING):
        level = max(min(int(heading.name[1]), above + 1), 2 if above else 1)
        above = level
        heading.name = f"h{level}"
        text = " ".join(heading.get_text().split())
        anchor = re.sub(r"\W+", "-", text.lower()).strip("-") or "section"
        seen[anchor] = seen.get(anchor, 0) + 1
        heading["id"] = anchor if seen[anchor] == 1 else f"{anchor}-{seen[anchor]}"
        contents.append((level, heading["id"], text))
    return contents


def list_on_paper(article: BeautifulSoup, contents: Sequence[tuple[int, str, str]]) -> None:
    """Put a list of the sections behind what is brought forward, for the print only.

    Which sheet each stands on is filled in when the page is printed.
    """
    off = {heading["id"] for heading in article.select(".screen :is(h1, h2, h3)")}
    entries = [(at, text) for level, at, text in contents if level == 2 and at not in off]
    parts = article.find_all(True, recursive=False)
    rest = [part for part in parts if "front" not in part.get("class", ())]
    first = next((part for part in rest if part.name == "h2" or part.find("h2")), None)
    if first is None or len(entries) < FEWEST:
        return
    items = "".join(
        f'<li><a href="#{anchor}">{escape(text)}</a><span class="sheet"></span></li>'
        for anchor, text in entries
    )
    first.insert_before(parse(f'<nav class="paper"><p>Contents</p><ol>{items}</ol></nav>'))


def tables(article: BeautifulSoup) -> None:
    """Number all tables and give them one look: text left, numbers right, headers marked.

    A table without a caption takes the heading above it; the parameters, which are folded away,
    have no number.
    """
    number = 0
    for table in article.find_all("table"):
        if "xcoll-table" not in table.get("class", ()):
            _clean(table)
        for cell in table.select("thead th"):
            cell["scope"] = "col"
        for cell in table.select("tbody th"):
            cell["scope"] = "row"
        for cell in table.select("td.text"):
            if len(cell.get_text()) <= SHORT:
                cell["class"] = [*cell["class"], "short"]
        box = table.parent
        if "xcoll-table-box" not in box.get("class", ()):
            box = table.wrap(article.new_tag("div", attrs={"class": ["xcoll-table-box"]}))
        table["style"] = f"--letters: {_letters(table)}"
        # Outside the table a caption stays in view while the table scrolls.
        words = table.caption.extract().get_text() if table.caption else _heading(table)
        counted = "parameters" not in table.get("class", ())
        number += counted
        box.insert(0, _caption(article, "div", f"Table {number}." if counted else "", words))
        box["role"], box["tabindex"], box["aria-label"] = "region", "0", words


def figures(article: BeautifulSoup) -> None:
    """Number all figures; what each says, its title or the sentence after it, stands above it."""
    for number, image in enumerate(article.find_all("img"), 1):
        said = _said_after(image)
        words = image.attrs.pop("data-title", "") or said or _heading(image)
        box = image.parent
        if box.name != "figure":
            box = image.wrap(article.new_tag("figure", attrs={"class": ["plot"]}))
        box.insert(0, _caption(article, "figcaption", f"Figure {number}.", words))
        if not image.get("alt"):
            text = said or words
            image["alt"] = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _caption(article: BeautifulSoup, kind: str, label: str, words: str) -> Tag:
    caption = article.new_tag(kind, attrs={"class": ["caption"]})
    if label:
        mark = article.new_tag("span", attrs={"class": ["label"]})
        mark.string = label
        caption.extend([mark, " "])
    caption.append(words)
    return caption


def _heading(tag: Tag) -> str:
    heading = tag.find_previous(HEADING)
    return " ".join(heading.get_text().split()) if heading else "Without a title"


def _said_after(image: Tag) -> str:
    """The computed sentence between `image` and the next figure or heading."""
    after = image.find_next(
        lambda tag: tag.name in ("img", "h2", "h3") or "said" in tag.get("class", ())
    )
    said = after is not None and "said" in after.get("class", ())
    return " ".join(after.get_text().split()) if said else ""


def _clean(table: Tag) -> None:
    """Take pandas' own styling off a table, and set its text left."""
    for style in table.parent.find_all("style", recursive=False):
        style.decompose()
    table.attrs = {"class": ["xcoll-table"]}
    for part in table.find_all(["tr", "th", "td"]):
        del part["style"]
    for cell in table.select("tbody th, tbody td"):
        text = cell.get_text().strip()
        if cell.name == "th" or not (NUMBER.fullmatch(text) or text in MISSING):
            cell["class"] = ["text"]
    heads = [row.find_all("th") for row in table.select("thead tr")]
    if len(heads) == 2 and not any(cell.get_text() for cell in heads[1][1:]):
        heads[0][0].string = heads[1][0].get_text()  # pandas gives the index's name its own row
        heads.pop()[0].parent.decompose()
    first = table.select("tbody tr:first-child > *")
    for row in heads:
        for head, cell in zip(row, first, strict=False):
            head["class"] = cell.get("class", [])


def _letters(table: Tag) -> int:
    """Letters that a row needs side by side, for the style sheet to choose a size that fits.

    A heading breaks between words, a long text anywhere; the space between columns is three.
    """

    def letters(cell: Tag) -> int:
        text = cell.get_text()
        if cell.name == "th":
            return max(map(len, text.split()), default=0)
        return min(len(text), SHORT) if "text" in cell.get("class", ()) else len(text)

    rows = [[letters(cell) for cell in row.find_all(["th", "td"])] for row in table.find_all("tr")]
    return sum(3 + max(column) for column in zip_longest(*rows, fillvalue=0))


def hold_punctuation(article: BeautifulSoup) -> None:
    """Keep the sign after a formula on the formula's line."""
    for formula in article.find_all("math", display="inline"):
        after = formula.next_sibling
        sign = PUNCTUATION.match(after) if isinstance(after, NavigableString) else None
        if sign:
            after.replace_with(after[sign.end() :])
            formula.wrap(article.new_tag("span", attrs={"class": ["held"]})).append(sign[0])


def space_percent(article: BeautifulSoup) -> None:
    """Set all percent signs as `spaced` does."""
    for text in article.find_all(string=PERCENT):
        if not text.find_parent(["code", "pre", "math"]):
            text.replace_with(spaced(text))


def spaced(text: str) -> str:
    """`text` with one space, which does not break, between every number and its percent sign."""
    return PERCENT.sub("\u00a0%", text)


def write_out_links(article: BeautifulSoup) -> None:
    """Replace links to other addresses by text and address, as paper shows them."""
    for link in article.find_all("a"):
        address = link.get("href", "")
        if not AFAR.match(address):
            continue
        shown = link.get_text()
        link.name, link.attrs = "span", {"class": ["address"]}
        if shown != address:
            link.append(f" ({address.partition('//')[2]})")


def refuse_addresses(text: str, title: str) -> None:
    """Raise where the page `text` would load, or lead to, another address.

    Raises
    ------
    RunError
        Naming the page, the element and the address.
    """
    reader = _Addresses(title)
    reader.feed(text)
    reader.close()


class _Addresses(HTMLParser):
    """Reads a page and stops at the first address that leaves it."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.title, self.inside = title, ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag
        for name, value in attrs:
            if name in LOADING and AFAR.match(value or ""):
                raise RunError(
                    f"page {self.title!r}: <{tag} {name}={(value or '')[:80]!r}> leaves the page; "
                    "put the file into the notebook instead"
                )
            if name == "style":
                self._check_style(tag, value or "")

    def handle_data(self, data: str) -> None:
        if self.inside == "style":
            self._check_style("style", data)

    def _check_style(self, tag: str, style: str) -> None:
        if CSS_AFAR.search(style):
            raise RunError(f"page {self.title!r}: a style of <{tag}> loads from another address")
