"""What the statements of a notebook show and save, and what that rests on, without running it."""

import ast
from collections.abc import Callable, Iterable
from dataclasses import replace

from xcoll.workbook.review.flow.calls import Given
from xcoll.workbook.review.flow.expressions import Module
from xcoll.workbook.review.flow.parts import Parts
from xcoll.workbook.review.flow.values import (
    EMPTY,
    NOTHING,
    Saved,
    Shown,
    Source,
    Sources,
    Text,
    Value,
    either,
    rests,
)

__all__ = ["Statements"]

MOST = 200  # rounds of a loop that are followed one by one
PICTURES = ("matplotlib", "seaborn")


class Statements(Parts):
    """The statements of one notebook, in order."""

    def __init__(
        self, notebook: str, artifact: Callable[[str], Value | None], files: set[str]
    ) -> None:
        super().__init__(notebook, artifact)
        self.files, self.given = files, False
        self.saved: dict[str, Saved] = {}
        self.shown: dict[tuple[str, int, int], list[Shown]] = {}
        self.round: tuple[int, ...] = ()
        self._kept: dict[tuple[str, int, int], tuple[int, ...]] = {}

    def run(self, cell: str, source: str, given: Iterable[str]) -> None:
        """Follow one cell; one that is tagged as parameters gives them their values."""
        self.cell, self.given = cell, bool(given)
        try:
            body = ast.parse(source).body
        except SyntaxError as error:
            self.problem(ast.Pass(lineno=error.lineno or 1), f"it is not Python: {error.msg}")
            return
        for place, statement in enumerate(body):
            self.visit(statement)
            last = place == len(body) - 1 and not source.rstrip().endswith(";")
            if last and isinstance(statement, ast.Expr) and not self._is_call_of_run(statement):
                value = self.visit(statement.value)
                if value.sources and not self._draws(statement.value):
                    self._show(statement, "value", value.sources)

    # What is shown and saved.

    def show(
        self, node: ast.AST, kind: str, given: Given, text: Text, table: Value | None = None
    ) -> None:
        """Note that the call `node` of a method of the run shows something."""
        self._show(node, kind, given.sources, text, table or EMPTY)

    def _show(
        self,
        node: ast.AST,
        kind: str,
        sources: Sources,
        text: Text = (),
        table: Value | None = None,
    ) -> None:
        place = (self.cell, node.lineno, node.col_offset)
        made = Shown(
            self.cell, node.lineno, kind, ast.unparse(node), sources | self.control, text,
            (table or EMPTY).under(self.control), -1 in self.round,
        )  # fmt: skip
        if self._kept.get(place) == self.round:  # the same round again, with more known of it
            self.shown[place][-1] = made
        else:
            self.shown.setdefault(place, []).append(made)
        self._kept[place] = self.round

    def save(self, node: ast.AST, name: str, value: Value) -> None:
        """Note that `node` saves the artifact `name`."""
        value = value.under(self.control)
        if name in self.saved:
            value = either(self.saved[name].value, value)
        self.saved[name] = Saved(self.cell, node.lineno, ast.unparse(node), value)

    def _is_call_of_run(self, node: ast.Expr) -> bool:
        function = node.value.func if isinstance(node.value, ast.Call) else None
        owner = function.value if isinstance(function, ast.Attribute) else None
        return isinstance(owner, ast.Name) and owner.id == "run"

    def _draws(self, node: ast.expr) -> bool:
        function = self.visit(node.func).literal if isinstance(node, ast.Call) else None
        if not isinstance(function, Module):
            return False
        return ".plots." in function.name or function.name.startswith(PICTURES)

    # Statements.

    def visit_Expr(self, node: ast.Expr) -> Value:
        """A call for its effect: a figure, or a method that may change its object."""
        value = self.visit(node.value)
        call = node.value
        if not isinstance(call, ast.Call):
            return value
        if self._draws(call):
            given = Given.of(self, call)
            titles = [part.template() for _, part in given.places() if part.text is not None]
            self._show(call, "figure", given.sources, next(iter(titles), None) or ())
        elif isinstance(call.func, ast.Attribute):
            self.changed(call.func.value, Given.of(self, call))
        function = self.visit(call.func).literal
        if isinstance(function, Module) and not function.name.startswith("xcoll."):
            for part in call.args:
                self.changed(part, value)
        return value

    def visit_Assign(self, node: ast.Assign) -> Value:
        """``target = value``."""
        value = self.visit(node.value).under(self.control)
        other = node.value.id if isinstance(node.value, ast.Name) else ""
        for target in node.targets:
            if isinstance(target, ast.Name) and other in self.names:
                self.names.alias(target.id, other, self.control)
            else:
                self.bind(target, value)
                self._note(target, node.value)
        return value

    def _note(self, target: ast.expr, value: ast.expr) -> None:
        """Keep what a name was set by."""
        if isinstance(target, ast.Name):
            self.written[target.id] = (self.cell, value.lineno, ast.unparse(value))
        elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            for part, item in zip(target.elts, value.elts, strict=False):
                self._note(part, item)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Value:
        """``target: type = value``."""
        if node.value is None:
            return Value()
        value = self.visit(node.value).under(self.control)
        self.bind(node.target, value)
        return value

    def visit_AugAssign(self, node: ast.AugAssign) -> Value:
        """``target += value``: a list or a mapping is changed, a string or a number is new."""
        load = ast.parse(ast.unparse(node.target), mode="eval").body
        value = self.combined(node, node.op, load, node.value).under(self.control)
        target = node.target
        if isinstance(target, ast.Name) and target.id in self.names:
            old = self.names.load(target.id)
            if old.text is None and not isinstance(old.literal, int | float):
                self.names.put(target.id, value)
                return value
        self.bind(target, value)
        return value

    def bind(self, target: ast.expr, value: Value) -> None:
        """Let the names of `target` stand for `value`, or its parts."""
        if isinstance(target, ast.Name):
            if self.given and not self.round:
                kind = "file" if target.id in self.files else "parameter"
                source = Source(kind, f"{self.notebook}.{target.id}")
                value = Value(frozenset({source}), literal=value.literal)
            self.names.bind(target.id, value)
            self.written.pop(target.id, None)
        elif isinstance(target, ast.Tuple | ast.List):
            known = value.elements()
            plain = not any(isinstance(part, ast.Starred) for part in target.elts)
            if known is None or not plain or len(known) != len(target.elts):
                known = (value.element(),) * len(target.elts)
            for part, item in zip(target.elts, known, strict=True):
                self.bind(part.value if isinstance(part, ast.Starred) else part, item)
        elif isinstance(target, ast.Subscript | ast.Attribute):
            self._set(target, value)

    def _set(self, target: ast.Subscript | ast.Attribute, value: Value) -> None:
        """``name["column"] = value`` sets a column; any other part changes the whole."""
        key = self.visit(target.slice) if isinstance(target, ast.Subscript) else Value()
        owner = target.value
        if isinstance(owner, ast.Name) and owner.id in self.names and isinstance(key.literal, str):
            old = self.names.load(owner.id)
            fields = {**old.fields, key.literal: value.under(key.sources)}
            made = Value(old.rest, old.also, fields, old.closed, holds=value.within)
            self.names.put(owner.id, made)
        else:
            self.changed(owner, replace(value, rest=value.rest | key.sources))

    def visit_If(self, node: ast.If) -> Value:
        """``if test: … else: …``: what is set in either rests on the test."""
        before, test = self.control, self.visit(node.test).sources
        start = self.names.state()
        self.control = before | test
        self._block(node.body)
        end = self.names.state()
        self.names.restore(start)
        self._block(node.orelse)
        self.names.merge(end)
        self.control = before
        return Value()

    def visit_For(self, node: ast.For) -> Value:
        """A loop: round by round where its range is written down, else until nothing is new."""
        over = self.visit(node.iter)
        known = over.elements()
        before = self.control
        self.control = before | over.rest | over.also | self._exits(node)
        if known is not None and len(known) <= MOST:
            for place, element in enumerate(known):
                self.round = (*self.round, place)
                self.bind(node.target, element)
                self._block(node.body)
                self.round = self.round[:-1]
        else:
            self._again(lambda: self.bind(node.target, self.visit(node.iter).element()), node.body)
        self._block(node.orelse)
        self.control = before
        return Value()

    def visit_While(self, node: ast.While) -> Value:
        """A loop with a test."""
        before = self.control
        self.control |= self._exits(node)

        def test() -> None:
            self.control |= self.visit(node.test).sources

        self._again(test, node.body)
        self._block(node.orelse)
        self.control = before
        return Value()

    def _again(self, begin: Callable[[], None], body: list[ast.stmt]) -> None:
        """Follow the rounds of a loop until another one tells nothing new."""
        self.round = (*self.round, -1)
        known: dict[str, Sources] = {}
        while known != self.names.known():
            known, start = self.names.known(), self.names.state()
            begin()
            self._block(body)
            self.names.merge(start)
        self.round = self.round[:-1]

    def _exits(self, loop: ast.For | ast.While) -> Sources:
        """What decides on an early end of a round, where there is one."""
        parts = [node for statement in loop.body for node in ast.walk(statement)]
        if not any(isinstance(node, ast.Break | ast.Continue) for node in parts):
            return NOTHING
        start = self.names.state()
        if isinstance(loop, ast.For):
            self.bind(loop.target, self.visit(loop.iter).element())
        noted = dict(self.problems)
        sources = rests(self.visit(node.test) for node in parts if isinstance(node, ast.If))
        self.problems = noted
        self.names.restore(start)
        return sources

    def _block(self, body: list[ast.stmt]) -> None:
        for statement in body:
            self.visit(statement)

    def visit_With(self, node: ast.With) -> Value:
        """``with value as name: …``."""
        for item in node.items:
            value = self.visit(item.context_expr)
            if item.optional_vars is not None:
                self.bind(item.optional_vars, value.under(self.control))
        self._block(node.body)
        return Value()

    def visit_Try(self, node: ast.Try) -> Value:
        """``try: … except: …``: any part of the body may have been done."""
        start = self.names.state()
        self._block(node.body)
        self._block(node.orelse)
        ends = [self.names.state()]
        for handler in node.handlers:
            self.names.merge(start)
            if handler.name:
                self.names.bind(handler.name, Value())
            self._block(handler.body)
            ends.append(self.names.state())
        for end in ends:
            self.names.merge(end)
        self._block(node.finalbody)
        return Value()

    def visit_Import(self, node: ast.Import) -> Value:
        """``import module as name``."""
        for each in node.names:
            name = each.name if each.asname else each.name.split(".")[0]
            self.names.bind(each.asname or name, Value(literal=Module(name)))
        return Value()

    def visit_ImportFrom(self, node: ast.ImportFrom) -> Value:
        """``from module import name``."""
        for each in node.names:
            if each.name == "*":
                return self.problem(node, f"from {node.module} import *: name what is needed")
            whole = Module(f"{node.module}.{each.name}")
            self.names.bind(each.asname or each.name, Value(literal=whole))
        return Value()

    def visit_Delete(self, node: ast.Delete) -> Value:
        """``del name``."""
        for target in node.targets:
            if isinstance(target, ast.Name):
                self.names.forget(target.id)
            elif isinstance(target, ast.Subscript | ast.Attribute):
                self.changed(target.value, self.visit(target.slice))
        return Value()

    def visit_Assert(self, node: ast.Assert) -> Value:
        """A statement that sets nothing."""
        return Value()

    visit_Pass = visit_Break = visit_Continue = visit_Raise = visit_Assert

    def generic_visit(self, node: ast.AST) -> Value:
        """Anything else: an expression, or a statement that is not followed."""
        if isinstance(node, ast.stmt):
            kind = type(node).__name__.removesuffix("Def").lower()
            return self.problem(node, f"a {kind} is not followed; move it into the package")
        return super().generic_visit(node)
