"""What is known of a value in a notebook without running it: what it rests on, and its shape.

A value rests on sources: artifacts that were read, parameters, files that parameters name.  Where
its shape is known as well, columns of a table, entries of a mapping, elements of a list and the
parts of a sentence each keep sources of their own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce

__all__ = [
    "ANY",
    "EMPTY",
    "NOTHING",
    "UNKNOWN",
    "Choice",
    "Joined",
    "Origin",
    "Saved",
    "Shown",
    "Slot",
    "Source",
    "Sources",
    "Text",
    "Value",
    "either",
    "resting",
    "rests",
    "retold",
    "words",
]


@dataclass(frozen=True, order=True)
class Source:
    """Where a number comes from.

    Attributes
    ----------
    kind : {"artifact", "file", "parameter", "run"}
        A file is named by the parameter that holds its path; "run" is the run's own manifest.
    name : str
        Of the artifact, or notebook and name of the parameter: ``05_haircuts.confidence``.
    """

    kind: str
    name: str


Sources = frozenset[Source]
NOTHING: Sources = frozenset()
UNKNOWN = object()  # a literal that is not one


@dataclass(frozen=True)
class Origin:
    """An expression of a notebook that made a part of what is shown.

    Attributes
    ----------
    notebook, cell, line : str, str, int
        Where it stands; the line is that of the cell.
    expression : str
        As it is written.
    sources : frozenset of Source
        What it rests on right there, artifacts of notebooks before it included.
    through : tuple of str
        Artifacts that carried the finished sentence on, the first one first.
    """

    notebook: str
    cell: str
    line: int
    expression: str
    sources: Sources = NOTHING
    through: tuple[str, ...] = ()


ANY = ".*"


@dataclass(frozen=True)
class Slot:
    """A part of a sentence that an expression fills in; `pattern` is what it can look like."""

    origin: Origin
    pattern: str = ANY


@dataclass(frozen=True)
class Choice:
    """A part of a sentence that is one of several."""

    options: tuple["Text", ...]
    origin: Origin


@dataclass(frozen=True)
class Joined:
    """A part of a sentence that repeats `item`, nobody knows how often, with a separator."""

    separator: str
    item: "Text"
    origin: Origin


Text = tuple[str | Slot | Choice | Joined, ...]


@dataclass(frozen=True)
class Value:
    """What is known of one value.

    Attributes
    ----------
    rest : frozenset of Source
        What it rests on, but for what `fields` knows better.
    also : frozenset of Source
        What everything that is taken out of it rests on as well: the choice of its rows, the
        condition under which it was set.
    fields : mapping
        Columns of a table, entries of a mapping or attributes of a row, by name.
    closed : bool
        Nothing stands beside `fields`.
    items : tuple of Value, optional
        Elements of a list whose length is known.
    each : Value, optional
        Any element of a list whose length is not.
    text : tuple, optional
        Parts of a sentence.
    literal : object
        The value itself where it is written down.
    alias : frozenset of int
        Addresses of what it may be, or be a part of, under another name.
    holds : frozenset of int
        Addresses of what it may hold as elements.
    late : object, optional
        Expression that is evaluated again whenever it is used: a lambda, a generator.
    """

    rest: Sources = NOTHING
    also: Sources = NOTHING
    fields: Mapping[str, "Value"] = field(default_factory=dict)
    closed: bool = False
    items: tuple["Value", ...] | None = None
    each: "Value | None" = None
    text: Text | None = None
    literal: object = UNKNOWN
    alias: frozenset[int] = frozenset()
    holds: frozenset[int] = frozenset()
    late: object = None

    @property
    def sources(self) -> Sources:
        """Everything it rests on."""
        parts = [self.rest, self.also, *(part.sources for part in self.fields.values())]
        parts += [part.sources for part in (*(self.items or ()), self.each) if part is not None]
        return frozenset().union(*parts)

    def under(self, sources: Sources) -> "Value":
        """The same where it rests on `sources` as well."""
        return replace(self, also=self.also | sources) if sources - self.also else self

    def column(self, name: str) -> "Value":
        """Its column, entry or attribute `name`."""
        if name in self.fields:
            return self.fields[name].under(self.also)
        return Value(self.sources if self.closed else self.rest | self.also)

    def elements(self) -> tuple["Value", ...] | None:
        """Its elements, where it is known how many there are."""
        if self.items is not None:
            return tuple(item.under(self.also).part_of(self) for item in self.items)
        if self.closed:
            return tuple(words(name).under(self.also) for name in self.fields)
        return None

    def element(self) -> "Value":
        """Any one of its elements."""
        known = self.elements()
        if known:
            return reduce(either, known)
        each = self.each if self.each is not None else Value(self.sources)
        return each.under(self.also).part_of(self)

    def part_of(self, whole: "Value") -> "Value":
        """The same where it may be a part of `whole`."""
        return replace(self, alias=self.alias | whole.within) if whole.within else self

    @property
    def within(self) -> frozenset[int]:
        """Addresses that a part of it may be an alias of."""
        return self.alias | self.holds

    def template(self) -> Text | None:
        """Parts of the sentence, each with what the whole rests on as well."""
        return None if self.text is None else resting(self.text, self.also)


def words(text: str) -> Value:
    """A string as it is written."""
    return Value(text=(text,), literal=text)


def rests(values: Iterable[Value]) -> Sources:
    """What `values` rest on together."""
    return frozenset().union(*(value.sources for value in values))


def either(one: Value, other: Value) -> Value:
    """What is known of a value that is one of two."""
    if one is other:
        return one
    names = [*one.fields, *(name for name in other.fields if name not in one.fields)]
    items = None
    if one.items is not None and other.items is not None and len(one.items) == len(other.items):
        items = tuple(map(either, one.items, other.items))
    each = None
    if items is None and (one.items or one.each) and (other.items or other.each):
        each = either(one.element(), other.element())
    return Value(
        rest=one.rest | other.rest if items or each else one.rest | other.rest | _held(one, other),
        also=one.also | other.also,
        fields={name: either(_entry(one, name), _entry(other, name)) for name in names},
        closed=one.closed and other.closed and one.fields.keys() == other.fields.keys(),
        items=items,
        each=each,
        text=one.text if one.text == other.text else None,
        literal=one.literal if one.literal == other.literal else UNKNOWN,
        alias=one.alias | other.alias,
        holds=one.holds | other.holds,
        late=one.late if one.late is other.late else None,
    )


def _held(*values: Value) -> Sources:
    return rests(part for value in values for part in (*(value.items or ()), value.each) if part)


def _entry(value: Value, name: str) -> Value:
    return value.fields.get(name, Value(NOTHING if value.closed else value.rest))


def resting(text: Text, sources: Sources) -> Text:
    """The sentence whose parts rest on `sources` as well."""
    if not sources:
        return text
    return _moved(text, lambda origin: replace(origin, sources=origin.sources | sources))


def retold(text: Text, artifact: str) -> Text:
    """The sentence as another notebook reads it from `artifact`."""
    return _moved(text, lambda origin: replace(origin, through=(*origin.through, artifact)))


def _moved(text: Text, change: "type[Origin] | object") -> Text:
    def part(each: str | Slot | Choice | Joined) -> str | Slot | Choice | Joined:
        if isinstance(each, str):
            return each
        moved = replace(each, origin=change(each.origin))
        if isinstance(each, Choice):
            return replace(moved, options=tuple(_moved(option, change) for option in each.options))
        return replace(moved, item=_moved(each.item, change)) if isinstance(each, Joined) else moved

    return tuple(part(each) for each in text)


EMPTY = Value()


@dataclass(frozen=True)
class Saved:
    """An artifact, and the statement that saves it."""

    cell: str
    line: int
    expression: str
    value: Value


@dataclass(frozen=True)
class Shown:
    """A statement that shows something.

    Attributes
    ----------
    cell, line : str, int
        Where it stands.
    kind : {"text", "table", "figure", "value"}
        What it shows.
    expression : str
        As it is written.
    sources : frozenset of Source
        What it rests on as a whole.
    text : tuple
        Parts of the sentence, of the caption, of a figure's title.
    table : Value
        What is known of a table's columns.
    repeats : bool
        It stands in a loop, and nobody knows how often it is reached.
    """

    cell: str
    line: int
    kind: str
    expression: str
    sources: Sources
    text: Text = ()
    table: Value = EMPTY
    repeats: bool = False
