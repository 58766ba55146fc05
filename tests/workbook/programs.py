"""Random little programs, and what happens to what they say when an input moves.

A plain twin of the tracing: it runs a program once as it is and once with each input changed.
What a program then says otherwise must rest on that input.
"""

import random
from dataclasses import dataclass, field

INPUTS = ("a", "b", "c", "d")
FAILURES = (IndexError, NameError, OverflowError)
VALUES = dict(zip(INPUTS, (3, 5, -2, 7), strict=True))


@dataclass
class Program:
    """A program of assignments, branches, loops, lists, mappings, aliases and lambdas."""

    seed: int
    lines: list[str] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    lists: list[str] = field(default_factory=list)
    mappings: list[str] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    count: int = 0

    def __post_init__(self):
        self.rng = random.Random(self.seed)
        self.inside = False
        for _ in range(self.rng.randint(4, 14)):
            self.statement(0)
        shown = [*self.numbers[-4:], *(f"sum({name})" for name in self.lists[-2:])]
        shown += [f"{name}['x']" for name in self.mappings[-1:]]
        self.lines += [f'run.say(f"v {{{each}}} end")' for each in shown]

    def source(self) -> str:
        return "\n".join(self.lines)

    def new(self, kind: str) -> str:
        self.count += 1
        return f"{kind}{self.count}"

    def number(self, depth: int = 0) -> str:
        pick, more = self.rng.choice, lambda: self.number(depth + 1)
        kind = self.rng.randrange(14 if depth < 2 else 4)
        if kind == 1 or not self.numbers:
            return f'run.read("{pick(INPUTS)}")'
        if kind == 2:
            return str(self.rng.randint(0, 9))
        if kind == 4:
            return f"({more()} {pick('+-*')} {more()})"
        if kind == 5:
            return f"({more()} if {more()} > {more()} else {more()})"
        if kind == 6 and self.lists:
            return f"sum({pick(self.lists)})"
        if kind == 7 and self.lists:
            return f"{pick(self.lists)}[{pick(['0', '-1'])}]"
        if kind == 8 and self.mappings:
            return f'{pick(self.mappings)}["{pick("xy")}"]'
        if kind == 9:
            return f"max({more()}, {more()})"
        if kind == 10 and self.lists:
            return f"sum(v * {more()} for v in {pick(self.lists)} if v > {more()})"
        if kind == 11:
            return f"({more()} or {more()})"
        if kind == 12 and self.functions:
            return f"{pick(self.functions)}({more()})"
        if kind == 13 and not self.inside:
            name = self.new("w")
            self.walrus.append(name)
            return f"({name} := {more()})"
        return pick(self.numbers)

    def statement(self, depth: int) -> None:
        self.walrus: list[str] = []
        before, self.inside = self.inside, depth > 0
        simple = [self.assign, self.update, self.append, self.put, self.rebind]
        whole = [self.listed, self.mapped, self.pair, self.alias, self.derived, self.function]
        whole += [self.nested, self.starred]
        blocks = [self.branch, self.loop, self.repeat]
        ways = simple + (whole if depth == 0 else []) + (blocks if depth < 2 else [])
        self.rng.choice(ways if self.numbers else [self.assign])("    " * depth, depth)
        self.inside = before
        if depth == 0:
            self.numbers += self.walrus

    def write(self, pad: str, line: str) -> None:
        self.lines.append(pad + line)

    def assign(self, pad: str, depth: int) -> None:
        value, name = self.number(), self.new("i")
        self.write(pad, f"{name} = {value}")
        if depth == 0:
            self.numbers.append(name)

    def rebind(self, pad: str, depth: int) -> None:
        self.write(pad, f"{self.rng.choice(self.numbers)} = {self.number()}")

    def update(self, pad: str, depth: int) -> None:
        sign = self.rng.choice(["+=", "-=", "*="])
        self.write(pad, f"{self.rng.choice(self.numbers)} {sign} {self.number()}")

    def append(self, pad: str, depth: int) -> None:
        if self.lists:
            name, value = self.rng.choice(self.lists), self.number()
            self.write(pad, self.rng.choice([f"{name}.append({value})", f"{name}[0] = {value}"]))
        else:
            self.rebind(pad, depth)

    def put(self, pad: str, depth: int) -> None:
        if self.mappings:
            name, value = self.rng.choice(self.mappings), self.number()
            ways = [f'{name}["{self.rng.choice("xy")}"] = {value}', f"{name}.update(x={value})"]
            self.write(pad, self.rng.choice(ways))
        else:
            self.rebind(pad, depth)

    def listed(self, pad: str, depth: int) -> None:
        values = ", ".join(self.number() for _ in range(self.rng.randint(1, 3)))
        self.lists.append(self.new("l"))
        self.write(pad, f"{self.lists[-1]} = [{values}]")

    def mapped(self, pad: str, depth: int) -> None:
        value = f'{{"x": {self.number()}, "y": {self.number()}}}'
        self.mappings.append(self.new("k"))
        self.write(pad, f"{self.mappings[-1]} = {value}")

    def pair(self, pad: str, depth: int) -> None:
        values = f"{self.number()}, {self.number()}"
        names = [self.new("i"), self.new("i")]
        self.write(pad, f"{', '.join(names)} = {values}")
        self.numbers += names

    def starred(self, pad: str, depth: int) -> None:
        if self.lists:
            value = f"[*{self.rng.choice(self.lists)}, {self.number()}]"
            first, others = self.new("i"), self.new("l")
            self.write(pad, f"{first}, *{others} = {value}")
            self.numbers.append(first)
            self.lists.append(others)

    def alias(self, pad: str, depth: int) -> None:
        if self.lists:
            other = self.rng.choice(self.lists)
            self.lists.append(self.new("l"))
            self.write(pad, f"{self.lists[-1]} = {other}")

    def derived(self, pad: str, depth: int) -> None:
        if self.lists:
            value = f"[v + {self.number()} for v in {self.rng.choice(self.lists)}]"
            self.lists.append(self.new("l"))
            self.write(pad, f"{self.lists[-1]} = {value}")

    def function(self, pad: str, depth: int) -> None:
        self.functions.append(self.new("f"))
        self.write(pad, f"{self.functions[-1]} = lambda z: z + {self.rng.choice(self.numbers)}")

    def nested(self, pad: str, depth: int) -> None:
        if not self.lists or not self.mappings:
            return
        one, other = self.rng.choice(self.lists), self.rng.choice(self.mappings)
        name, part = self.new("n"), self.new("l")
        self.write(pad, f'{name} = {{"p": {one}, "q": {other}}}')
        self.write(pad, f'{name}["p"].append({self.number()})')
        self.write(pad, f'{name}["q"]["{self.rng.choice("xy")}"] = {self.number()}')
        self.write(pad, f'{part} = {name}["p"]')
        self.lists.append(part)

    def branch(self, pad: str, depth: int) -> None:
        self.write(pad, f"if {self.number()} > {self.number()}:")
        self.statement(depth + 1)
        if self.rng.random() < 0.5:
            self.write(pad, "else:")
            self.statement(depth + 1)

    def loop(self, pad: str, depth: int) -> None:
        if not self.lists:
            self.rebind(pad, depth)
            return
        name = self.new("e")
        self.write(pad, f"for {name} in list({self.rng.choice(self.lists)})[:4]:")
        if self.rng.random() < 0.4:
            self.write(pad, f"    if {name} > {self.number()}:")
            self.write(pad, f"        {self.rng.choice(['break', 'continue'])}")
        self.write(pad, f"    {self.rng.choice(self.numbers)} += {name}")
        self.statement(depth + 1)

    def repeat(self, pad: str, depth: int) -> None:
        name = self.new("t")
        self.write(pad, f"{name} = 3")
        self.write(pad, f"while {name} > 0 and {self.number()} > {self.number()}:")
        self.write(pad, f"    {name} -= 1")
        self.statement(depth + 1)


class Run:
    """What a program reads from and says to."""

    def __init__(self, values: dict[str, int]) -> None:
        self.values, self.said = values, []

    def read(self, name: str) -> int:
        return self.values[name]

    def say(self, text: str) -> None:
        self.said.append(text)


def carried_out(source: str, values: dict[str, int]) -> list[str]:
    """What the program says with these inputs."""
    run = Run(values)
    exec(compile(source, "program", "exec"), {"run": run})
    return run.said


def moved(source: str) -> dict[str, set[int]] | None:
    """Input to the sentences that a change of it changes; None for a program that fails."""
    try:
        first = carried_out(source, VALUES)
    except FAILURES:
        return None
    found: dict[str, set[int]] = {name: set() for name in INPUTS}
    for name in INPUTS:
        for step in (1, -4, 10):
            try:
                then = carried_out(source, VALUES | {name: VALUES[name] + step})
            except FAILURES:
                continue
            pairs = zip(first, then, strict=True)
            found[name] |= {place for place, (old, new) in enumerate(pairs) if old != new}
    return found
