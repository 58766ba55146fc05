"""What the expressions of a notebook rest on, read without running them."""

import ast
import builtins
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce

from xcoll.workbook.review import calls, package
from xcoll.workbook.review.names import Names
from xcoll.workbook.review.values import (
    ANY,
    NOTHING,
    UNKNOWN,
    Choice,
    Origin,
    Slot,
    Source,
    Sources,
    Text,
    Value,
    either,
    rests,
    words,
)

__all__ = ["Expressions", "Module", "Problem", "RunMethod"]

GIVEN = {"display", "get_ipython"}  # names that a notebook has without an import
MOST = 200  # elements of a list that are followed one by one
NUMBER = r"[-+−]?[\d,]*\.?\d+(?:e[-+]?\d+)?%?|[-+]?(?:nan|inf)%?"
MONEY = r"-?\$?(?:[\d,.]+|nan|inf)(?:bn|M|k)?"
PERCENT = r"[-+−]?(?:[\d,]*\.?\d+|nan|inf) %"
LOOKS = {"money": MONEY, "percent": PERCENT}
MASKS = (ast.Compare, ast.UnaryOp, ast.BinOp, ast.BoolOp, ast.Call)


@dataclass(frozen=True)
class Module:
    """A name that was imported, with where it comes from."""

    name: str


@dataclass(frozen=True)
class RunMethod:
    """A method of the run that the notebook is part of; "" is the run itself."""

    name: str


@dataclass(frozen=True, order=True)
class Problem:
    """What cannot be followed, and where."""

    cell: str
    line: int
    what: str


class Expressions(ast.NodeVisitor):
    """Values of the expressions of one notebook.

    Attributes
    ----------
    notebook, cell : str
        Where the next expression stands.
    artifact : callable
        Gives the value of an artifact by its name, None where nobody saves it.
    names : Names
        What the names stand for.
    control : frozenset of Source
        What decides whether the next expression is reached.
    problems : dict
        What could not be followed, each once.
    """

    def __init__(self, notebook: str, artifact: Callable[[str], Value | None]) -> None:
        self.notebook, self.cell, self.artifact = notebook, "", artifact
        self.names, self.control = Names(), NOTHING
        self.problems: dict[Problem, None] = {}
        self.written: dict[str, tuple[str, int, str]] = {}  # cell, line and text that set a name
        self._late: set[str] = set()

    def problem(self, node: ast.AST, what: str) -> Value:
        """Note that `what` stands at `node` and cannot be followed."""
        self.problems[Problem(self.cell, getattr(node, "lineno", 1), what)] = None
        return Value()

    def origin(self, node: ast.AST, sources: Sources) -> Origin:
        """The expression `node`, or the one that its name was set by, which rests on `sources`."""
        cell, line, written = self.cell, getattr(node, "lineno", 1), ast.unparse(node)
        if isinstance(node, ast.Name) and node.id in self.written:
            cell, line, written = self.written[node.id]
        return Origin(self.notebook, cell, line, written, sources | self.control)

    def template(self, node: ast.expr, value: Value) -> Text:
        """Parts of the sentence that `value` is, or that it is one part of."""
        known = value.template()
        return (Slot(self.origin(node, value.sources)),) if known is None else known

    def generic_visit(self, node: ast.AST) -> Value:
        """Anything else rests on all of its parts."""
        parts = [part for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr)]
        return Value(rests(map(self.visit, parts)))

    # Names and what is written down.

    def visit_Constant(self, node: ast.Constant) -> Value:
        """A number or a string."""
        return words(node.value) if isinstance(node.value, str) else Value(literal=node.value)

    def visit_Name(self, node: ast.Name) -> Value:
        """A name; what was put off is evaluated now."""
        if node.id in self.names:
            value = self.names.load(node.id)
            if value.late is None or node.id in self._late:
                return value
            self._late.add(node.id)
            now = self.visit(value.late)
            self._late.discard(node.id)
            return replace(value, rest=value.rest | now.sources)
        if hasattr(builtins, node.id) or node.id in GIVEN:
            return Value(literal=Module(node.id))
        return self.problem(node, f"the name {node.id!r} is set in no cell before")

    def visit_NamedExpr(self, node: ast.NamedExpr) -> Value:
        """``name := value``."""
        value = self.visit(node.value)
        self.names.bind(node.target.id, value.under(self.control))
        return value

    def visit_Lambda(self, node: ast.Lambda) -> Value:
        """A function that is called later: what its body rests on then."""
        given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        given += [each for each in (node.args.vararg, node.args.kwarg) if each]
        defaults = [each for each in (*node.args.defaults, *node.args.kw_defaults) if each]
        extra = rests(map(self.visit, defaults))
        with self.names.inner(each.arg for each in given):
            for each in given:
                self.names.bind(each.arg, Value())
            body = self.visit(node.body)
        return Value(body.sources | extra, late=node)

    # Sentences.

    def visit_JoinedStr(self, node: ast.JoinedStr) -> Value:
        """A string with expressions in it; each keeps its own sources."""
        values = [self.visit(part) for part in node.values]
        text = tuple(part for value in values for part in value.text or ())
        plain = [part for part in text if isinstance(part, str)]
        literal = "".join(plain) if len(plain) == len(text) else UNKNOWN
        return Value(rests(values), text=text, literal=literal)

    def visit_FormattedValue(self, node: ast.FormattedValue) -> Value:
        """``{value:form}``."""
        value = self.visit(node.value)
        form = self.visit(node.format_spec) if node.format_spec else Value()
        text = value.template()
        if text is None or node.format_spec or node.conversion >= 0:
            sources = value.sources | form.sources
            text = (Slot(self.origin(node.value, sources), _look(node)),)
        return Value(value.sources | form.sources, text=text)

    def visit_IfExp(self, node: ast.IfExp) -> Value:
        """``one if test else other``."""
        test = self.visit(node.test).sources
        before, self.control = self.control, self.control | test
        one, other = self.visit(node.body), self.visit(node.orelse)
        options = (self.template(node.body, one), self.template(node.orelse, other))
        self.control = before
        return self._choice(node, either(one, other).under(test), [one, other], options)

    def visit_BoolOp(self, node: ast.BoolOp) -> Value:
        """``one or other``."""
        values = [self.visit(each) for each in node.values]
        options = tuple(map(self.template, node.values, values))
        return self._choice(node, reduce(either, values).under(rests(values)), values, options)

    def _choice(
        self, node: ast.expr, value: Value, values: Sequence[Value], options: tuple[Text, ...]
    ) -> Value:
        if all(each.text is None for each in values):
            return value
        sources = value.sources | rests(values)
        return replace(value, text=(Choice(options, self.origin(node, sources)),))

    def visit_BinOp(self, node: ast.BinOp) -> Value:
        """An operator; strings and lists are put end to end, mappings one over the other."""
        return self.combined(node, node.op, node.left, node.right)

    def combined(
        self, node: ast.AST, operator: ast.operator, left: ast.expr, right: ast.expr
    ) -> Value:
        """``left operator right``."""
        one, other = self.visit(left), self.visit(right)
        sources = one.sources | other.sources
        if isinstance(operator, ast.Add):
            if one.text is not None or other.text is not None:
                text = self.template(left, one) + self.template(right, other)
                plain = isinstance(one.literal, str) and isinstance(other.literal, str)
                return Value(
                    sources, text=text, literal=one.literal + other.literal if plain else UNKNOWN
                )
            if one.items is not None and other.items is not None:
                items = (*(one.elements() or ()), *(other.elements() or ()))
                return Value(one.rest | other.rest, items=items, holds=one.holds | other.holds)
        if isinstance(operator, ast.BitOr) and one.closed and other.closed:
            holds, fields = one.holds | other.holds, {**one.fields, **other.fields}
            return Value(one.rest | other.rest, one.also | other.also, fields, True, holds=holds)
        return Value(sources)

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


def _look(node: ast.FormattedValue) -> str:
    """What ``{value:form}`` can look like."""
    if isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name):
        look = LOOKS.get(node.value.func.id)
        if look and not node.format_spec:
            return look
    form = node.format_spec.values if isinstance(node.format_spec, ast.JoinedStr) else []
    last = form[-1].value if form and isinstance(form[-1], ast.Constant) else ""
    dated = any("%" in str(part.value)[:-1] for part in form if isinstance(part, ast.Constant))
    return NUMBER if str(last)[-1:] in set("defgEFGn%,") and not dated else ANY
