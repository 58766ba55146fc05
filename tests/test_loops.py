"""Watched loops give what they are given, whoever looks."""

import pytest

from xcoll import loops


@pytest.fixture
def nobody():
    yield
    loops.watch(None)


def test_nobody_looks_unless_asked():
    items = [1, 2, 3]
    assert loops.watched(items, "numbers") is items


def test_a_watcher_sees_every_item_and_the_name(nobody):
    seen = []

    def watcher(items, what):
        for item in items:
            seen.append((what, item))
            yield item

    loops.watch(watcher)
    assert list(loops.watched("ab", "letters")) == ["a", "b"]
    assert seen == [("letters", "a"), ("letters", "b")]
    loops.watch(None)
    assert list(loops.watched("ab", "letters")) == ["a", "b"]
    assert len(seen) == 2
