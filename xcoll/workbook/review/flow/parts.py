"""What lists, mappings, parts of a value and calls of a notebook rest on."""

import ast
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

from xcoll.workbook.review.flow import calls, package
from xcoll.workbook.review.flow.expressions import Expressions, Module, RunMethod
from xcoll.workbook.review.flow.values import (
    NOTHING,
    UNKNOWN,
    Source,
    Sources,
    Value,
    either,
    rests,
)

__all__ = ["Parts"]

MOST = 200  # elements of a list that are followed one by one
MASKS = (ast.Compare, ast.UnaryOp, ast.BinOp, ast.BoolOp, ast.Call)


class Parts(Expressions):
    """Values that are put together of others, or taken out of them."""

    # Displays and comprehensions.

    def visit_List(self, node: ast.List | ast.Tuple | ast.Set) -> Value:
        """A list whose elements are written down."""
        items: list[Value] | None = []
        values = []
        for part in node.elts:
            value = self.visit(part.value if isinstance(part, ast.Starred) else part)
            values.append(value)
            inside = value.elements() if isinstance(part, ast.Starred) else (value,)
            items = None if items is None or inside is None else [*items, *inside]
        holds = frozenset().union(*(value.within for value in values))
        if items is None:
            return Value(rests(values), holds=holds)
        return Value(items=tuple(items), holds=holds)

    visit_Tuple = visit_Set = visit_List

    def visit_Starred(self, node: ast.Starred) -> Value:
        """``*value``."""
        return self.visit(node.value)

    def visit_Dict(self, node: ast.Dict) -> Value:
        """A mapping that is written down."""
        made = Value(closed=True)
        for key, part in zip(node.keys, node.values, strict=True):
            value = self.visit(part)
            name = self.visit(key).literal if key is not None else UNKNOWN
            holds = made.holds | value.within
            if isinstance(name, str):
                made = replace(made, fields={**made.fields, name: value}, holds=holds)
            elif key is None and value.closed:
                fields = {**made.fields, **{name: value.column(name) for name in value.fields}}
                made = replace(made, rest=made.rest | value.rest, fields=fields, holds=holds)
            else:
                rest = made.rest | value.sources | (self.visit(key).sources if key else NOTHING)
                made = replace(made, rest=rest, closed=False, holds=holds)
        return made

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp) -> Value:
        """A list that is made by a rule; followed one by one where its range is written down."""
        made, certain, sources = self._comprehended(node.generators, [node.elt])
        values = [value for (value,) in made]
        holds = frozenset().union(*(value.within for value in values))
        late = node if isinstance(node, ast.GeneratorExp) else None
        if certain:
            return Value(NOTHING, sources, items=tuple(values), holds=holds, late=late)
        each = reduce(either, values)
        if each.text is None and len(values) == 1:
            each = replace(each, text=self.template(node.elt, each))
        return Value(each.sources, sources, each=each, holds=holds, late=late)

    visit_SetComp = visit_GeneratorExp = visit_ListComp

    def visit_DictComp(self, node: ast.DictComp) -> Value:
        """A mapping that is made by a rule."""
        made, certain, sources = self._comprehended(node.generators, [node.key, node.value])
        if certain and all(isinstance(key.literal, str) for key, _ in made):
            return Value(NOTHING, sources, {key.literal: value for key, value in made}, True)
        return Value(sources | rests(value for pair in made for value in pair))

    def _comprehended(
        self, generators: Sequence[ast.comprehension], wanted: Sequence[ast.expr]
    ) -> tuple[list[list[Value]], bool, Sources]:
        """Values of `wanted` for each round, whether these are all rounds, what decides on them."""
        targets = [node for each in generators for node in ast.walk(each.target)]
        with self.names.inner({node.id for node in targets if isinstance(node, ast.Name)}):
            return self._rounds(generators, wanted)

    def _rounds(
        self, generators: Sequence[ast.comprehension], wanted: Sequence[ast.expr]
    ) -> tuple[list[list[Value]], bool, Sources]:
        if not generators:
            return [[self.visit(node) for node in wanted]], True, NOTHING
        first, *others = generators
        over = self.visit(first.iter)
        elements, certain = over.elements(), not first.ifs
        if not elements or len(elements) > MOST:
            elements, certain = (over.element(),), elements == () and not first.ifs
        made: list[list[Value]] = []
        sources = over.rest | over.also
        for element in elements:
            self.bind(first.target, element)
            tests = rests(map(self.visit, first.ifs))
            before, self.control = self.control, self.control | tests
            inner, sure, more = self._rounds(others, wanted)
            self.control = before
            made += inner
            certain, sources = certain and sure, sources | tests | more
        return made if not certain or elements else [], certain, sources

    def bind(self, target: ast.expr, value: Value) -> None:
        """Let the names of `target` stand for `value`."""
        raise NotImplementedError

    # Parts of a value.

    def visit_Attribute(self, node: ast.Attribute) -> Value:
        """``value.name``: of a module, of the run, of a row, or of anything else."""
        value = self.visit(node.value)
        if isinstance(value.literal, Module):
            return Value(literal=Module(f"{value.literal.name}.{node.attr}"))
        if isinstance(value.literal, RunMethod):
            if node.attr in calls.RUN:
                return Value(literal=RunMethod(node.attr))
            return Value(frozenset({Source("run", "manifest")}))
        known = value.column(node.attr) if node.attr in value.fields else Value(value.sources)
        return known.part_of(value)

    def visit_Subscript(self, node: ast.Subscript) -> Value:
        """``value[key]``, ``value.loc[rows, key]``."""
        place = node.value
        if not isinstance(place, ast.Attribute) or place.attr not in ("loc", "iloc", "at", "iat"):
            value = self.visit(place)
            return self._taken(value, node.slice).part_of(value)
        value, key = self.visit(place.value), None
        rows = node.slice
        if isinstance(rows, ast.Tuple) and len(rows.elts) == 2:
            rows, key = rows.elts
        value = replace(value.under(self.visit(rows).sources), items=None, each=None, text=None)
        if key is not None:
            whole = Value(value.sources | self.visit(key).sources)
            value = (self._taken(value, key) if place.attr in ("loc", "at") else whole).part_of(
                value
            )
        return value

    def _taken(self, value: Value, key: ast.expr) -> Value:
        chosen = self.visit(key)
        name, sources = chosen.literal, chosen.sources
        names = [item.literal for item in chosen.items or ()]
        if isinstance(name, str):
            return value.column(name).under(sources)
        if names and all(isinstance(each, str) for each in names):
            fields = {each: value.column(each) for each in names}
            return Value(value.rest, value.also | sources, fields)
        place = _whole(key)
        if value.items is not None and place is not None and -len(value.items) <= place:
            known = value.elements() or ()
            return known[place] if place < len(known) else Value(value.sources)
        if value.closed and value.fields:
            return reduce(either, map(value.column, value.fields)).under(sources)
        if isinstance(key, ast.Slice):
            each = value.element() if value.items or value.each else None
            return replace(value, items=None, each=each, text=None, literal=UNKNOWN, closed=False)
        if isinstance(key, MASKS):
            return replace(value.under(sources), items=None, each=None, text=None)
        return Value(value.sources | sources)

    def visit_Slice(self, node: ast.Slice) -> Value:
        """``a:b``."""
        return self.generic_visit(node)

    # Calls.

    def visit_Call(self, node: ast.Call) -> Value:
        """A call: of a method of the run, of a method of a value, of a function."""
        owner = node.func.value if isinstance(node.func, ast.Attribute) else None
        value = self.visit(owner) if owner is not None else self.visit(node.func)
        given = calls.Given.of(self, node)
        if owner is not None and not isinstance(value.literal, Module | RunMethod):
            made = calls.METHODS.get(node.func.attr, calls.anything)(self, value, given)
            if node.func.attr in calls.CHANGING:
                self.changed(owner, given)
            return made
        function = self.visit(node.func).literal if owner is not None else value.literal
        if isinstance(function, RunMethod):
            return calls.RUN[function.name](self, node, given)
        if not isinstance(function, Module):
            return Value(value.sources | given.sources)
        if function.name == "xcoll.start":
            return Value(literal=RunMethod(""))
        if function.name in calls.FUNCTIONS:
            return calls.FUNCTIONS[function.name](self, given)
        sources = given.sources
        for place, each in given.places():
            if each.literal == RunMethod("read"):
                sources |= self._read_inside(node, function.name, place)
        return Value(sources)

    def _read_inside(self, node: ast.Call, function: str, place: int | str) -> Sources:
        names = package.reads(function, place)
        if names is None:
            self.problem(node, f"what {function} reads with run.read is not written down in it")
        return rests(self.read(node, name) for name in names or ())

    def read(self, node: ast.AST, name: object) -> Value:
        """The artifact `name`."""
        if not isinstance(name, str):
            return self.problem(node, f"which artifact {ast.unparse(node)} reads is not known")
        value = self.artifact(name)
        if value is None:
            return self.problem(node, f"no notebook before saves the artifact {name!r}")
        return value

    def changed(self, node: ast.expr, given: "calls.Given | Value") -> None:
        """Note that the object `node` was changed by what is `given`, and may hold it now."""
        root = node
        while isinstance(root, ast.Attribute | ast.Subscript | ast.Call):
            root = root.func if isinstance(root, ast.Call) else root.value
        if not isinstance(root, ast.Name) or root.id not in self.names:
            return
        known = self.names.load(root.id)
        if not isinstance(known.literal, Module | RunMethod):
            sources = given.sources | self.control
            self.names.change(root.id, sources, inside=root is not node)
            self.names.hold(root.id, given.within)


def _whole(node: ast.expr) -> int | None:
    """The whole number that is written at `node`."""
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return None
    return value if isinstance(value, int) and not isinstance(value, bool) else None
