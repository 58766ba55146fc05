"""What the expressions of a notebook rest on, read without running them."""

import ast
import builtins
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce

from xcoll.workbook.review.flow.names import Names
from xcoll.workbook.review.flow.values import (
    ANY,
    NOTHING,
    UNKNOWN,
    Choice,
    Origin,
    Slot,
    Sources,
    Text,
    Value,
    either,
    rests,
    words,
)

__all__ = ["Expressions", "Module", "Problem", "RunMethod"]

GIVEN = {"display", "get_ipython"}  # names that a notebook has without an import
NUMBER = r"[-+−]?[\d,]*\.?\d+(?:e[-+]?\d+)?%?|[-+]?(?:nan|inf)%?"
MONEY = r"-?\$?(?:[\d,.]+|nan|inf)(?:bn|M|k)?"
PERCENT = r"[-+−]?(?:[\d,]*\.?\d+|nan|inf) %"
LOOKS = {"money": MONEY, "percent": PERCENT}


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
        plain = [value.literal for value in values if isinstance(value.literal, str)]
        literal = "".join(plain) if len(plain) == len(values) else UNKNOWN
        return Value(rests(values), text=text, literal=literal)

    def visit_FormattedValue(self, node: ast.FormattedValue) -> Value:
        """``{value:form}``."""
        value = self.visit(node.value)
        form = self.visit(node.format_spec) if node.format_spec else Value()
        text, literal = value.template(), value.literal
        sources = value.sources | form.sources
        if node.format_spec or node.conversion >= 0:
            text, literal = None, UNKNOWN
        if text is None:
            text = (Slot(self.origin(node.value, sources), _look(node)),)
        return Value(sources, text=text, literal=literal)

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
