"""A difference of two runs for the terminal: the cause first, then what it did."""

from collections.abc import Iterator

from xcoll.workbook.review import wording
from xcoll.workbook.review.differences import Difference, Fact, Result
from xcoll.workbook.review.numbers import Comparison, Spot

__all__ = ["equal", "furthest", "lines", "remarks", "result", "short", "verdict"]

MOST = 12  # artifacts that are listed
HASH = 12  # letters of a hash that are shown
INDENT = 13


def lines(found: Difference, *, everything: bool = False) -> Iterator[str]:
    """The lines, in order; with `everything` all artifacts and all changed sentences."""
    yield f"A  {found.a.name}  {found.a.folder}"
    yield f"B  {found.b.name}  {found.b.folder}"
    yield from _causes(found)
    changed = [(step, each) for step in found.steps for each in step.results if not each.same]
    said = ""
    for step, each in changed if everything else changed[:MOST]:
        if step.name != said:
            said = step.name
            yield _row("artifacts" if said == changed[0][0].name else "", said)
        yield from (_row("", f"  {line}") for line in result(each))
    if len(changed) > MOST and not everything:
        more = wording.count(len(changed) - MOST, "artifact")
        yield _row("", f"and {more} more; --all lists them")
    if everything:
        for step in found.steps:
            for each in step.results:
                if each.same:
                    how = "equal bytes" if each.comparison is None else "equal in the tolerance"
                    yield _row("equal", f"{step.name}/{each.name}  {how}")
    yield _row("equal", equal(found))
    yield from _shown(found, everything)
    yield _row("verdict", verdict(found))


def verdict(found: Difference) -> str:
    """One sentence."""
    limit = f"rtol {found.tolerance.relative:g}, atol {found.tolerance.absolute:g}"
    if found.same:
        figures = sum(len(step.figures) for step in found.steps)
        sentences = sum(len(step.sentences) for step in found.steps)
        shown = f"{wording.count(figures, 'figure')} and {wording.count(sentences, 'sentence')}"
        return f"every artifact is equal ({limit})" + (
            f", but {shown} are not" if figures or sentences else ""
        )
    differ = sum(not each.same for each in found.results)
    numbers = sum(each.comparison.differing for each in found.results if each.comparison)
    parts = [f"{wording.count(differ, 'artifact')} of {len(found.results)} differ"]
    if numbers:
        parts.append(f"{wording.count(numbers, 'number')} in all")
    alone = [step for step in found.steps if step.only]
    if alone:
        parts.append(f"{wording.count(len(alone), 'notebook')} only in one of the runs")
    return f"{', '.join(parts)} ({limit})"


def result(each: Result) -> Iterator[str]:
    """The lines of one artifact that differs."""
    if each.only:
        yield f"{each.name:<32} only in {each.only}"
        return
    found = each.comparison
    name = each.name
    if found.differing:
        yield f"{name:<32} {found.differing:,} of {wording.count(found.numbers, 'number')} differ"
        name = ""
        for how, spot in furthest(found):
            yield f"  {how}: {wording.where(spot)}  {' | '.join(wording.both(spot))}"
    for note in wording.notes(found):
        yield f"{name:<32} {note}" if name else f"  {note}"
        name = ""


def furthest(found: Comparison) -> Iterator[tuple[str, Spot]]:
    """How far the numbers of an artifact are apart, and where: relative, then absolute."""
    if found.relative is not None:
        yield wording.size(found.relative), found.relative
        one, other = found.relative, found.absolute
        if (one.row, one.column) != (other.row, other.column):
            yield f"{other.gap:.3g} absolute", other


def _row(title: str, text: str) -> str:
    return f"{title:<{INDENT}}{text}".rstrip()


def _causes(found: Difference) -> Iterator[str]:
    groups: list[tuple[str, tuple[Fact, ...]]] = [
        ("parameters", found.parameters),
        ("data", found.data),
        ("code", found.code),
        ("versions", found.versions),
    ]
    for title, facts in groups:
        for place, fact in enumerate(facts):
            note = f"  default {fact.note}" if title == "parameters" else f"  {fact.note}"
            values = " | ".join(short(value) for value in (fact.a, fact.b))
            yield _row("" if place else title, f"{fact.item}  {values}{note}")
    for title, text in remarks(found):
        yield _row(title, text)


def remarks(found: Difference) -> Iterator[tuple[str, str]]:
    """What else the numbers hang on: (title, text)."""
    for step in found.steps:
        if step.code:
            yield "notebook", f"{step.name}: other code in {wording.listed(step.code)}"
    for run, side in ((found.a, "A"), (found.b, "B")):
        if run.manifest["stale"]:
            yield "stale", f"in {side}: {wording.listed(run.manifest['stale'])}"
    for title, chosen in (
        ("other inputs", [step.name for step in found.steps if step.differs]),
        ("only in A", [step.name for step in found.steps if step.only == "A"]),
        ("only in B", [step.name for step in found.steps if step.only == "B"]),
    ):
        if chosen:
            yield title, f"{len(chosen)} of {len(found.steps)} notebooks: {wording.listed(chosen)}"


def short(value: str) -> str:
    """A hash by its first letters."""
    whole = len(value) in (40, 46, 64) and not set(value[:40]) - set("0123456789abcdef")
    return value[:HASH] + value[40:] * (len(value) == 46) if whole else value


def equal(found: Difference) -> str:
    """How many artifacts are equal, and how."""
    bytewise = [each for each in found.results if each.same and each.comparison is None]
    near = [each for each in found.results if each.same and each.comparison is not None]
    text = f"{wording.count(len(bytewise), 'artifact')} to the byte"
    return f"{text}, {len(near)} more in the tolerance" if near else text


def _shown(found: Difference, everything: bool) -> Iterator[str]:
    figures = [(step, each) for step in found.steps for each in step.figures]
    sentences = [(step, each) for step in found.steps for each in step.sentences]
    for title, pairs in (("figures", figures), ("sentences", sentences)):
        if not pairs:
            continue
        text = f"{sum(bool(each.a and each.b) for _, each in pairs)} changed"
        for side, gone in (("A", "b"), ("B", "a")):
            alone = sum(getattr(each, gone) is None for _, each in pairs)
            text += f", {alone} only in {side}" if alone else ""
        yield _row(title, text)
    if everything:
        for step, each in sentences:
            yield _row("", f"{step.name}, {each.known.cell}")
            for side, shown in (("A", each.a), ("B", each.b)):
                yield _row("", f"  {side}  {' '.join(shown.content.split()) if shown else '–'}")
