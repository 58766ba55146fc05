"""Parts that are whole or not there, and results that are the same bytes."""

import json

import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.workbook.sweep import toys
from xcoll.errors import RunError
from xcoll.workbook import fingerprint
from xcoll.workbook.sweep import grid as grids
from xcoll.workbook.sweep import store, works
from xcoll.workbook.sweep.inputs import Inputs
from xcoll.workbook.sweep.serial import serial
from xcoll.workbook.sweep.tasks import Setting, Work

AXES = {"scale": [2, 1], "book_seed": [0, 1]}


@pytest.fixture
def filled(tmp_path, planned):
    """Tasks, and a folder with a part of each."""
    tasks = planned(axes=AXES)
    parts = store.Parts(tmp_path)
    for task, content in serial(toys.TOY, tasks, Inputs()):
        parts.write(task, content)
    return tasks, parts


def test_parts_are_found_again(filled):
    tasks, parts = filled
    found, damaged = parts.find(tasks)
    assert list(found) == [task.index for task in tasks]
    assert damaged == 0
    assert set(parts.folder.iterdir()) == set(found.values())


@pytest.mark.parametrize("cut", [0, 1, 100])
def test_a_damaged_part_is_removed(filled, cut):
    tasks, parts = filled
    path = parts.find(tasks)[0][3]
    path.write_bytes(path.read_bytes()[:-cut] if cut else path.read_bytes() + b"x")
    found, damaged = parts.find(tasks)
    assert sorted(found) == [0, 1, 2, 4, 5, 6, 7]
    assert damaged == 1
    assert not path.exists()


def test_a_part_of_another_task_is_no_part_of_this(filled):
    tasks, parts = filled
    other = parts.find(tasks)[0][0]
    other.rename(other.with_name(f"{'0' * 32}{other.name[32:]}"))
    found, damaged = parts.find(tasks)
    assert 0 not in found
    assert damaged == 0
    parts.clear(found.values())
    assert len(list(parts.folder.iterdir())) == len(tasks) - 1


def test_drafts_of_a_killed_sweep_are_no_parts_and_are_cleared(filled):
    tasks, parts = filled
    found, _ = parts.find(tasks)
    draft = parts.folder / f".draft-{found[0].name}"
    draft.write_bytes(b"half")
    found[0].unlink()
    again, damaged = parts.find(tasks)
    assert 0 not in again
    assert damaged == 0
    parts.clear(again.values())
    assert not draft.exists()


def test_results_are_the_rows_in_the_order_of_the_tasks(filled):
    tasks, parts = filled
    rows = store.assemble(tasks, parts.find(tasks)[0]).to_pandas()
    assert list(rows.columns) == ["task", "scale", "book_seed", "item", "draw", "text"]
    expected = [
        {"task": task.index, **task.point, **row}
        for task in tasks
        for row in toys.run(task, {}).to_dict("records")
    ]
    pd.testing.assert_frame_equal(rows, pd.DataFrame(expected))
    assert rows["scale"].tolist() == [2.0] * 12 + [1.0] * 12


def test_axes_of_text_and_truth_keep_their_types(tmp_path, planned, monkeypatch):
    settings = toys.SETTINGS | {"flag": Setting(True, lambda name, value: value)}
    monkeypatch.setitem(works.WORKS, "still", Work(toys.still, settings, toys.span, toys.four))
    tasks = planned("still", axes={"flag": [True, False], "trouble": ["none", "die"]})
    parts = store.Parts(tmp_path)
    for task, content in serial(toys.STILL, tasks, Inputs()):
        parts.write(task, content)
    rows = store.assemble(tasks, parts.find(tasks)[0])
    assert [str(rows.schema.field(name).type) for name in ("task", "flag", "trouble")] == [
        "int64",
        "bool",
        "string",
    ]


def test_published_files_hold_no_clock_and_are_the_same_twice(filled, tmp_path):
    tasks, parts = filled
    grid = grids.parse({"work": "toy", "axes": AXES}, toys.WORKS)
    seen = []
    for place in ("a", "b"):
        rows = store.assemble(tasks, parts.find(tasks)[0])
        path = store.publish(tmp_path / place, grid, tasks, rows, {"code": "c", "inputs": {}})
        seen.append(fingerprint.tree(tmp_path / place))
        assert path.name == "results.parquet"
    assert seen[0] == seen[1]
    assert set(seen[0]) == {"results.parquet", "sweep.json"}
    assert json.loads((tmp_path / "a" / "sweep.json").read_text()) == {
        "schema": 1,
        "grid": {
            "work": "toy",
            "axes": [["scale", [2.0, 1.0]], ["book_seed", [0, 1]]],
            "fixed": {"seconds": 0.0, "bad": 2.0, "trouble": "none"},
            "chunk": None,
        },
        "tasks": 8,
        "rows": 24,
        "results": seen[0]["results.parquet"],
        "code": "c",
        "inputs": {},
    }


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("columns", r"task 2 .* other columns than task 0 .*: item double, not item int64, draw"),
        ("taken", "task 2 .* returns the column 'scale', which is an axis"),
    ],
)
def test_tasks_of_other_columns_are_no_results(tmp_path, planned, trouble, words):
    tasks = planned(axes={"scale": [1, 2]}, fixed={"trouble": trouble})
    parts = store.Parts(tmp_path)
    for task, content in serial(toys.TOY, tasks, Inputs()):
        parts.write(task, content)
    with pytest.raises(RunError, match=words):
        store.assemble(tasks, parts.find(tasks)[0])


def test_a_part_that_cannot_be_written(tmp_path, planned):
    (tmp_path / "parts").write_text("a file")
    with pytest.raises(RunError, match=r"cannot be written .*the same command"):
        store.Parts(tmp_path).write(planned()[0], b"")


def test_a_part_is_a_table_that_anyone_can_read(filled):
    tasks, parts = filled
    path = parts.find(tasks)[0][0]
    assert pq.read_table(path).to_pandas()["item"].tolist() == [0, 1, 2]
