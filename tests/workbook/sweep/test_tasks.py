"""One task carried out: the same bytes everywhere, or an error."""

import io
import os

import pandas as pd
import pytest

from tests.workbook.sweep import toys
from xcoll.errors import RunError
from xcoll.workbook.sweep import worker
from xcoll.workbook.sweep.inputs import Inputs
from xcoll.workbook.sweep.serial import serial
from xcoll.workbook.sweep.tasks import carry_out


def test_the_bytes_are_a_table_without_a_trace_of_the_process(planned):
    task = planned(axes={"scale": [3]}, fixed={"book_seed": 4})[1]
    content = carry_out(toys.run, task, {})
    frame = pd.read_parquet(io.BytesIO(content))
    assert list(frame.columns) == ["item", "draw", "text"]
    assert frame["item"].tolist() == [3, 4, 5]
    assert frame["draw"].tolist() == [3 * toys.draw(4, item) for item in (3, 4, 5)]
    assert not frame.attrs
    assert str(os.getpid()).encode() not in content
    assert carry_out(toys.run, task, {}) == content


def test_the_result_of_a_task_does_not_rest_on_the_others(planned):
    tasks = planned(axes={"scale": [1, 2]})
    alone = carry_out(toys.run, tasks[2], {})
    finished = {task.index: content for task, content in serial(toys.TOY, tasks, Inputs())}
    assert finished[2] == alone
    assert len(set(finished.values())) == len(tasks)


@pytest.mark.parametrize("returned", [{"a": [1]}, None, pd.DataFrame({"a": [1]}, index=["x"])])
def test_anything_but_a_plain_frame_is_refused(planned, returned):
    with pytest.raises(RunError, match="returns a DataFrame with the default index"):
        carry_out(lambda task, read: returned, planned()[0], {})


def test_the_serial_run_names_the_task_that_failed(planned):
    tasks = planned(axes={"scale": [1, 2, 3]}, fixed={"trouble": "raise"})
    finished = serial(toys.TOY, tasks, Inputs())
    words = r"task 2 \(scale 2\.0, items 0–2\) failed: ZeroDivisionError: planted failure"
    with pytest.raises(RunError, match=words) as caught:
        list(finished)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_worker_of_other_code_or_versions_refuses(planned):
    here = worker.ground()
    task = planned()[0]
    wanted = {"code": "0", "versions": here["versions"] | {"numpy": "1.0"}}
    with pytest.raises(RunError, match="another xcoll, numpy than this machine"):
        worker.carry_out_here(toys.run, task, {}, wanted)
    assert worker.carry_out_here(toys.run, task, {}, here) == carry_out(toys.run, task, {})
