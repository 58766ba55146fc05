"""Names of a notebook and what they stand for; two names of one object share an address."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count

from xcoll.workbook.review.flow.values import UNKNOWN, Sources, Value, either

__all__ = ["Names"]

State = tuple[dict[str, int], dict[int, Value]]


class Names:
    """Names, their addresses, and the values there."""

    def __init__(self) -> None:
        self._addresses: dict[str, int] = {}
        self._values: dict[int, Value] = {}
        self._fresh = count()

    def __contains__(self, name: str) -> bool:
        return name in self._addresses

    def load(self, name: str) -> Value:
        """Value of `name`, which knows that it has another name."""
        address = self._addresses[name]
        value = self._values[address]
        return replace(value, alias=value.alias | {address})

    def bind(self, name: str, value: Value) -> None:
        """Let `name` stand for a new object."""
        self._addresses[name] = next(self._fresh)
        self._values[self._addresses[name]] = value

    def alias(self, name: str, other: str, sources: Sources) -> None:
        """Let `name` be another name of `other`, under a condition on `sources`."""
        address = self._addresses[other]
        self._values[address] = self._values[address].under(sources)
        self._addresses[name] = address

    def forget(self, name: str) -> None:
        """Delete `name`."""
        self._addresses.pop(name, None)

    def put(self, name: str, value: Value) -> None:
        """Change the object that `name` stands for into `value`, and what holds it with it."""
        address = self._addresses[name]
        old = self._values[address]
        alias, holds = old.alias | value.alias - {address}, old.holds | value.holds
        self._values[address] = replace(value, alias=alias, holds=holds)
        self._spread({address}, value.sources)

    def change(self, name: str, sources: Sources, *, inside: bool) -> None:
        """Note that the object of `name` was changed by something that rests on `sources`.

        What it holds has changed as well where the change happened `inside` one of its parts.
        """
        address = self._addresses[name]
        changed = {address} | (self._values[address].holds if inside else set())
        for each in changed & self._values.keys():
            self._values[each] = _changed(self._values[each], sources)
        self._spread(changed, sources)

    def hold(self, name: str, addresses: frozenset[int]) -> None:
        """Note that the object of `name` may hold what lies at `addresses`."""
        address = self._addresses[name]
        value = self._values[address]
        self._values[address] = replace(value, holds=value.holds | addresses - {address})

    def _spread(self, changed: set[int], sources: Sources) -> None:
        """Let everything know that may be, or be a part of, or hold, what was changed."""
        seen, open_ends = set(changed), list(changed)
        while open_ends:
            here = open_ends.pop()
            near = set(self._values[here].alias & self._values.keys())
            for other, value in self._values.items():
                if here in value.alias or here in value.holds:
                    near.add(other)
            open_ends += near - seen
            seen |= near
        for address in seen - changed:
            self._values[address] = _changed(self._values[address], sources)

    def state(self) -> State:
        """A copy of everything, for `restore`."""
        return dict(self._addresses), dict(self._values)

    def restore(self, state: State) -> None:
        """Go back to `state`."""
        self._addresses, self._values = dict(state[0]), dict(state[1])

    def merge(self, state: State) -> None:
        """Know only what holds both here and in `state`."""
        addresses, values = state
        merged = {**values, **self._values}
        for address in values.keys() & self._values.keys():
            merged[address] = either(values[address], self._values[address])
        for name, there in addresses.items():
            here = self._addresses.setdefault(name, there)
            if here != there:
                both = either(values[there], self._values[here])
                self._addresses[name] = next(self._fresh)
                merged[self._addresses[name]] = replace(both, alias=both.alias | {here, there})
        self._values = merged

    def known(self) -> dict[str, Sources]:
        """What each name rests on."""
        return {name: self._values[at].sources for name, at in self._addresses.items()}

    @contextmanager
    def inner(self, names: Iterable[str]) -> Iterator[None]:
        """A block that binds `names` for itself only."""
        names = list(names)
        before = {name: self._addresses[name] for name in names if name in self}
        try:
            yield
        finally:
            for name in names:
                self.forget(name)
            self._addresses |= before


def _changed(value: Value, sources: Sources) -> Value:
    return replace(
        value,
        rest=value.sources | sources,
        fields={name: part.under(sources) for name, part in value.fields.items()},
        closed=False,
        items=None,
        each=None,
        text=None,
        literal=UNKNOWN,
    )
