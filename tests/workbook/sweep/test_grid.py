"""Grids: what they make, and what they refuse before anything runs."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workbook.sweep import toys
from xcoll.errors import ParameterError
from xcoll.workbook.sweep import grid as grids
from xcoll.workbook.sweep.tasks import chunks


def parse(**blocks):
    return grids.parse({"work": "toy", **blocks}, toys.WORKS)


def test_points_are_the_product_in_the_order_of_the_file():
    grid = parse(axes={"scale": [2, 1.5], "book_seed": {"from": 3, "to": 5}}, fixed={"bad": 7})
    expected = [
        {"scale": scale, "book_seed": seed}
        for scale, seed in itertools.product([2.0, 1.5], [3, 4, 5])
    ]
    assert list(grid.points()) == expected
    assert grid.size == 6
    assert grid.fixed == {"seconds": 0.0, "bad": 7.0, "trouble": "none"}
    assert type(next(grid.points())["scale"]) is float


@pytest.mark.parametrize(
    ("written", "values"),
    [
        ({"from": 0.6, "to": 1.4, "step": 0.2}, [0.6, 0.8, 1.0, 1.2, 1.4]),
        ({"from": 0.1, "to": 0.3, "step": 0.1}, [0.1, 0.2, 0.3]),
        ({"from": 0, "to": 1, "step": 0.4}, [0.0, 0.4, 0.8]),
        ({"from": 2, "to": 4}, [2.0, 3.0, 4.0]),
        ({"from": 5, "to": 5}, [5.0]),
        ({"from": -1e-3, "to": 1e-3, "step": 1e-3}, [-0.001, 0.0, 0.001]),
    ],
)
def test_a_range_holds_its_ends_and_exact_decimals(written, values):
    assert parse(axes={"scale": written}).axes["scale"] == values


@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        ({"work": "toi"}, "no work is called 'toi'; did you mean 'toy'"),
        ({"work": None}, "there are still, toy"),
        ({"axis": {}}, "no block is called 'axis'; did you mean 'axes'"),
        ({"axes": {"scael": [1]}}, "no setting of toy is called 'scael'; did you mean 'scale'"),
        ({"fixed": {"zzz": 1}}, "there are bad, book_seed, scale"),
        ({"axes": [1]}, "lines of  name: value"),
        ({"axes": {"scale": []}}, "axis scale is empty"),
        ({"axes": {"scale": {"from": 2, "to": 1}}}, "axis scale is empty"),
        ({"axes": {"scale": 1.0}}, "put a single value under fixed"),
        ({"axes": {"scale": "12"}}, "put a single value under fixed"),
        ({"axes": {"scale": [1, 2, 1.0]}}, r"axis scale has 1\.0 twice"),
        ({"axes": {"scale": ["a"]}}, "scale is 'a'; give a finite number"),
        ({"axes": {"scale": [True]}}, "finite number"),
        ({"axes": {"scale": [[1]]}}, "finite number"),
        ({"axes": {"book_seed": [0.5]}}, "whole number"),
        ({"fixed": {"trouble": "die2"}}, "choose one of"),
        ({"axes": {"scale": [1]}, "fixed": {"scale": 1}}, "is an axis and fixed"),
        ({"axes": {"scale": {"from": 1}}}, "from: …, to: …"),
        ({"axes": {"scale": {"from": 1, "two": 2}}}, "no part of the range scale is called 'two'"),
        ({"axes": {"scale": {"from": 1, "to": 2, "step": 0}}}, "step of scale is 0"),
        ({"axes": {"scale": {"from": 1, "to": 2, "step": -1}}}, "above zero"),
        ({"axes": {"scale": {"from": "a", "to": 2}}}, "finite number"),
        ({"axes": {"scale": {"from": 0, "to": 1e300}}}, "over 1,000,000 values"),
        ({"chunk": 0}, "chunk is 0"),
        ({"seed": 1}, "no block is called 'seed'"),
    ],
)
def test_a_wrong_grid_is_refused(blocks, words):
    with pytest.raises(ParameterError, match=words):
        parse(**blocks)


@pytest.mark.parametrize("content", [None, [], "toy", 3])
def test_no_grid_at_all(content):
    with pytest.raises(ParameterError, match="the grid is"):
        grids.parse(content, toys.WORKS)


def test_a_grid_without_a_work():
    with pytest.raises(ParameterError, match="work is missing; name one of still, toy"):
        grids.parse({"axes": {"scale": [1]}}, toys.WORKS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("work: toy\nwork: toy\n", "the key 'work' is there twice"),
        ("work: [toy\n", "no valid YAML"),
        ("", "the file is empty"),
        ("work: toy\naxes: {scale: [x]}\n", r"grid\.yaml: scale is 'x'"),
    ],
)
def test_a_file_that_is_no_grid_is_a_wrong_call(tmp_path, text, words):
    path = tmp_path / "grid.yaml"
    path.write_text(text)
    with pytest.raises(ParameterError, match=words):
        grids.read(path, toys.WORKS)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ParameterError, match="no such file"):
        grids.read(tmp_path / "none.yaml", toys.WORKS)


@given(st.integers(1, 500), st.integers(1, 500))
def test_chunks_are_few_nearly_equal_and_leave_nothing_out(items, largest):
    made = list(chunks(items, largest))
    sizes = [last - first for first, last in made]
    assert made[0][0] == 0
    assert made[-1][1] == items
    assert all(before[1] == after[0] for before, after in itertools.pairwise(made))
    assert max(sizes) <= largest
    assert max(sizes) - min(sizes) <= 1
    assert len(made) == int(np.ceil(items / largest))


def test_tasks_are_points_times_chunks(planned):
    tasks = planned(axes={"scale": [1, 2]}, fixed={"book_seed": 9}, chunk=2)
    seen = [(task.point["scale"], task.first, task.last) for task in tasks]
    assert seen == [(x, *part) for x in (1.0, 2.0) for part in ((0, 2), (2, 4), (4, 6))]
    assert [task.index for task in tasks] == list(range(6))
    assert tasks[3].values == {
        "scale": 2.0,
        "book_seed": 9,
        "seconds": 0.0,
        "bad": 2.0,
        "trouble": "none",
    }
    assert str(tasks[4]) == "task 4 (scale 2.0, items 2–3)"


def test_a_grid_without_axes_is_one_point(planned):
    assert [str(task) for task in planned()] == ["task 0 (items 0–2)", "task 1 (items 3–5)"]


def test_a_point_that_cannot_be_is_refused_before_anything_runs(planned):
    with pytest.raises(ParameterError, match="over 100"):
        planned(axes={"scale": [1, 101]})


def test_a_point_without_items_is_refused(planned, monkeypatch):
    monkeypatch.setattr(toys, "ITEMS", 0)
    with pytest.raises(ParameterError, match=r"number of items at {'scale': 1\.0} is 0"):
        planned(axes={"scale": [1]})


def idle(**reasons):
    """Plan a grid of toys whose `bad` changes nothing at scale 1."""
    return replace(toys.TOY, idle=lambda values: reasons if values["scale"] == 1 else {})


def plan_idle(work, **blocks):
    grid = grids.parse({"work": "toy", **blocks}, {"toy": work})
    return grids.plan(grid, work, {}, "")


def test_an_axis_that_changes_nothing_at_a_point_is_refused():
    words = r"axis bad changes nothing where scale is 1\.0; give these points a grid of their own"
    with pytest.raises(ParameterError, match=words):
        plan_idle(idle(bad="scale"), axes={"scale": [2, 1], "bad": [3, 4]})
    assert len(plan_idle(idle(bad="scale"), axes={"scale": [2, 1], "bad": [3]})) == 4


def test_a_setting_that_changes_nothing_is_no_part_of_the_key():
    first, second = (
        keys(plan_idle(idle(bad="scale"), axes={"scale": [1, 2]}, fixed={"bad": bad}))
        for bad in (3, 4)
    )
    assert first[:2] == second[:2]
    assert not set(first[2:]) & set(second[2:])


def test_a_key_rests_on_the_files_that_its_point_names():
    work = replace(toys.TOY, files={"trouble": None})
    grid = grids.parse({"work": "toy", "axes": {"trouble": ["none", "die"]}}, {"toy": work})
    first, second = (keys(grids.plan(grid, work, {}, "", {"die": digest})) for digest in ("a", "b"))
    assert first[:2] == second[:2]
    assert not set(first[2:]) & set(second[2:])


AXES = {"scale": [1, 2], "book_seed": [0, 1]}


def keys(tasks):
    return [task.key for task in tasks]


@pytest.mark.parametrize(
    "changed",
    [
        {"shared": "other code"},
        {"chunk": 3},
        {"fixed": {"bad": 3.0}},
        {"axes": {"scale": [3, 4], "book_seed": [0, 1]}},
    ],
)
def test_a_key_is_a_hash_of_all_that_the_rows_rest_on(planned, changed):
    given = {"axes": AXES, "chunk": 2}
    one = keys(planned(**given))
    assert one == keys(planned(**given))
    assert len(set(one)) == len(one) == 12
    assert not set(one) & set(keys(planned(**{**given, **changed})))


def test_a_grid_that_grew_keeps_its_keys(planned):
    grown = {"scale": [0.5, 1, 2], "book_seed": [0, 1, 2]}
    assert set(keys(planned(axes=AXES))) < set(keys(planned(axes=grown)))


def test_a_fixed_value_and_an_axis_of_one_value_are_the_same_point(planned):
    axis = planned("still", axes={"scale": [2], "book_seed": [1]})
    fixed = planned("still", axes={"book_seed": [1]}, fixed={"scale": 2.0})
    assert keys(axis) == keys(fixed)
