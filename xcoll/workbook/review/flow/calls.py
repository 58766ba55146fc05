"""What well-known calls hand on: methods of the run, of tables, of lists and of strings."""

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING

from xcoll.workbook.review.flow.values import (
    NOTHING,
    Joined,
    Source,
    Sources,
    Text,
    Value,
    either,
    rests,
    words,
)

if TYPE_CHECKING:
    from xcoll.workbook.review.flow.expressions import Expressions

__all__ = ["CHANGING", "FUNCTIONS", "METHODS", "RUN", "Given", "anything"]


@dataclass(frozen=True)
class Given:
    """Arguments of a call: by position, by name, and what is spread with stars."""

    node: ast.Call
    values: tuple[Value, ...]
    named: Mapping[str, Value]
    spread: Sources

    @classmethod
    def of(cls, flow: "Expressions", node: ast.Call) -> "Given":
        """The arguments of the call `node`."""
        values, named, spread = [], {}, NOTHING
        for part in node.args:
            value = flow.visit(part)
            if not isinstance(part, ast.Starred):
                values.append(value)
            elif value.elements() is not None:
                values += value.elements()
            else:
                spread |= value.sources
        for keyword in node.keywords:
            value = flow.visit(keyword.value)
            if keyword.arg:
                named[keyword.arg] = value
            elif value.closed:
                named |= {name: value.column(name) for name in value.fields}
            else:
                spread |= value.sources
        return cls(node, tuple(values), named, spread)

    @property
    def sources(self) -> Sources:
        """What they rest on together."""
        return rests((*self.values, *self.named.values())) | self.spread

    @property
    def within(self) -> frozenset[int]:
        """Addresses that what they are handed to may hold."""
        values = (*self.values, *self.named.values())
        return frozenset().union(*(value.within for value in values))

    def get(self, place: int, name: str = "") -> Value:
        """The argument at `place` or called `name`."""
        return self.values[place] if place < len(self.values) else self.named.get(name, Value())

    def places(self) -> Iterator[tuple[int | str, Value]]:
        """Every argument with its position or name."""
        yield from enumerate(self.values)
        yield from self.named.items()


Method = Callable[["Expressions", Value, Given], Value]


def anything(flow: "Expressions", value: Value, given: Given) -> Value:
    """Any other method: the result rests on everything."""
    return Value(value.sources | given.sources)


# Methods of the run.


def _read(flow: "Expressions", node: ast.Call, given: Given) -> Value:
    return flow.read(node, given.get(0, "name").literal).under(given.sources)


def _path(flow: "Expressions", node: ast.Call, given: Given) -> Value:
    if isinstance(given.get(0, "path").literal, str) and not given.sources:
        return flow.problem(node, "a file that no parameter names; give it one of type Path")
    return Value(given.sources)


def _save(flow: "Expressions", node: ast.Call, given: Given) -> Value:
    name = given.get(0, "name").literal
    if not isinstance(name, str):
        return flow.problem(node, f"which artifact {ast.unparse(node)} saves is not known")
    flow.save(node, name, given.get(1, "content").under(given.get(0, "name").sources))
    return Value()


def _say(flow: "Expressions", node: ast.Call, given: Given) -> Value:
    written = node.args[0] if node.args else node
    flow.show(node, "text", given, flow.template(written, given.get(0, "text")))
    return Value()


def _points(flow: "Expressions", node: ast.Call, given: Given) -> Value:
    lines = given.get(0, "texts")
    known = lines.elements()
    parts: Text = ()
    for place, line in enumerate(known or ()):
        parts += ("\n- " if place else "- ", *flow.template(node.args[0], line))
    if known is None:
        item = ("- ", *flow.template(node.args[0], lines.element()))
        parts = (Joined("\n", item, flow.origin(node.args[0], lines.sources)),)
    flow.show(node, "text", given, parts)
    return Value()


def _table(flow: "Expressions", node: ast.Call, given: Given) -> Value:
    caption = given.get(1, "caption")
    written = node.args[1] if len(node.args) > 1 else node
    flow.show(node, "table", given, flow.template(written, caption), given.get(0, "frame"))
    return Value()


def _of_run(flow: "Expressions", node: ast.Call, given: Given) -> Value:
    return Value(frozenset({Source("run", "manifest")}))


def _of_given(flow: "Expressions", node: ast.Call, given: Given) -> Value:
    return Value(given.sources)


RUN: dict[str, Callable[["Expressions", ast.Call, Given], Value]] = {
    "path": _path,
    "points": _points,
    "provenance": _of_run,
    "read": _read,
    "rng": _of_given,
    "save": _save,
    "say": _say,
    "table": _table,
}


# Methods of tables.


def _rows(flow: "Expressions", value: Value, given: Given) -> Value:
    """Other rows or another order of the same columns."""
    return replace(value.under(given.sources), items=None, each=None, text=None)


def _without(flow: "Expressions", value: Value, given: Given) -> Value:
    named = given.named.get("columns", Value())
    gone = {item.literal for item in named.items or (named,)}
    fields = {name: part for name, part in value.fields.items() if name not in gone}
    return replace(_rows(flow, value, given), fields=fields)


def _asked(flow: "Expressions", value: Value, given: Given) -> Value:
    """``query`` and ``eval``: a condition, or a new column, written as a string."""
    text = given.get(0, "expr").literal
    if not isinstance(text, str):
        flow.problem(given.node, f"the text of {ast.unparse(given.node)} is not known")
        return anything(flow, value, given)
    outside = re.findall(r"@(\w+)", text)
    plain = re.sub(r"@(\w+)", r"\1", text)
    try:
        statement = ast.parse(plain.replace("`", "")).body[0]
    except (SyntaxError, IndexError):
        flow.problem(given.node, f"{text!r} is not an expression")
        return anything(flow, value, given)
    inside = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
    sources = given.sources | rests(
        [
            *(flow.visit_Name(ast.copy_location(ast.Name(name), given.node)) for name in outside),
            *(value.column(name) for name in inside - {*outside}),
        ]
    )
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return _set(value, {statement.targets[0].id: Value(sources)})
    asks = isinstance(given.node.func, ast.Attribute) and given.node.func.attr == "query"
    return _rows(flow, value.under(sources), given) if asks else Value(value.also | sources)


def _set(value: Value, columns: Mapping[str, Value]) -> Value:
    fields = {**value.fields, **columns}
    return Value(value.rest, value.also, fields, value.closed, holds=value.holds)


def _assign(flow: "Expressions", value: Value, given: Given) -> Value:
    made = _set(value, given.named)
    return replace(made, rest=made.rest | rests(given.values) | given.spread)


def _beside(flow: "Expressions", value: Value, given: Given) -> Value:
    """``join`` of two tables, or of strings."""
    other = given.get(0, "other")
    if value.text is not None:
        return _strung(flow, value, given)
    fields = {**other.fields, **value.fields}
    fields = {name: either(*_both(value, other, name)) for name in fields}
    more = rests(given.values[1:]) | rests(given.named.values()) | given.spread
    return Value(value.rest | other.rest, value.also | other.also | value.rest | more, fields)


def _both(one: Value, other: Value, name: str) -> tuple[Value, Value]:
    if name in one.fields and name in other.fields:
        return one.column(name), other.column(name)
    known = one if name in one.fields else other
    return known.column(name), known.column(name)


def _strung(flow: "Expressions", value: Value, given: Given) -> Value:
    """``", ".join(strings)``."""
    strings, separator = given.get(0), value.literal
    written = given.node.args[0] if given.node.args else given.node
    if not isinstance(separator, str) or strings.literal is not strings.literal:
        return anything(flow, value, given)
    known = strings.elements()
    if known is not None and all(item.text is not None for item in known):
        text: Text = ()
        for place, item in enumerate(known):
            text += ((separator,) if place and separator else ()) + flow.template(written, item)
        return Value(strings.sources, text=text)
    item = flow.template(written, strings.element())
    text = (Joined(separator, item, flow.origin(given.node, strings.sources)),)
    return Value(strings.sources, text=text)


def _got(flow: "Expressions", value: Value, given: Given) -> Value:
    """``get`` and ``setdefault``: a part of the mapping, or what is given in its place."""
    name = given.get(0).literal
    part = value.column(name) if isinstance(name, str) else Value(value.sources)
    return either(part, given.get(1)).under(given.get(0).sources).part_of(value)


def _items(flow: "Expressions", value: Value, given: Given) -> Value:
    if not value.closed:
        return anything(flow, value, given)
    pairs = [Value(items=(words(name), value.column(name))) for name in value.fields]
    return Value(value.rest, value.also, items=tuple(pairs))


def _values(flow: "Expressions", value: Value, given: Given) -> Value:
    if not value.closed:
        return anything(flow, value, given)
    return Value(value.rest, value.also, items=tuple(value.fields.values()))


def _named_rows(flow: "Expressions", value: Value, given: Given) -> Value:
    row = Value(value.rest | given.sources, value.also, value.fields)
    return Value(row.sources, each=row)


def _numbered_rows(flow: "Expressions", value: Value, given: Given) -> Value:
    row = Value(value.rest, value.also, value.fields)
    pair = Value(items=(Value(value.rest | value.also), row))
    return Value(row.sources, each=pair)


ROWS = (
    "copy", "drop_duplicates", "droplevel", "dropna", "head", "nlargest", "nsmallest", "reindex",
    "reset_index", "round", "set_index", "sort_index", "sort_values", "tail",
)  # fmt: skip
METHODS: dict[str, Method] = dict.fromkeys(ROWS, _rows) | {
    "assign": _assign,
    "drop": _without,
    "eval": _asked,
    "get": _got,
    "items": _items,
    "iterrows": _numbered_rows,
    "itertuples": _named_rows,
    "join": _beside,
    "query": _asked,
    "setdefault": _got,
    "values": _values,
}

# Methods that change their object; any method that stands as a statement of its own may.
CHANGING = {
    "add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem",
    "remove", "reverse", "setdefault", "sort", "update",
}  # fmt: skip


# Functions.


def _zip(flow: "Expressions", given: Given) -> Value:
    lists = [value.elements() for value in given.values]
    if lists and all(each is not None for each in lists) and not given.spread:
        rows = zip(*(each or () for each in lists), strict=False)
        return Value(rests(given.named.values()), items=tuple(Value(items=row) for row in rows))
    each = Value(items=tuple(value.element() for value in given.values))
    return Value(given.sources, each=each)


def _enumerate(flow: "Expressions", given: Given) -> Value:
    over, start = given.get(0), given.get(1, "start").literal
    known, first = over.elements(), start if isinstance(start, int) else 0
    if known is None:
        return Value(given.sources, each=Value(items=(Value(over.also), over.element())))
    pairs = [
        Value(items=(Value(text=(str(first + place),), literal=first + place), item))
        for place, item in enumerate(known)
    ]
    return Value(items=tuple(pairs))


def _same(flow: "Expressions", given: Given) -> Value:
    return replace(given.get(0), text=None, literal=given.get(0).literal)


def _shuffled(flow: "Expressions", given: Given) -> Value:
    known = given.get(0).elements()
    if known:
        return Value(given.sources, each=reduce(either, known))
    return Value(given.sources, each=given.get(0).each)


def _mapping(flow: "Expressions", given: Given) -> Value:
    if given.values or given.spread:
        return Value(given.sources)
    return Value(fields=given.named, closed=True)


FUNCTIONS: dict[str, Callable[["Expressions", Given], Value]] = {
    "dict": _mapping,
    "enumerate": _enumerate,
    "iter": _same,
    "list": _same,
    "reversed": _shuffled,
    "set": _shuffled,
    "sorted": _shuffled,
    "tuple": _same,
    "zip": _zip,
}
