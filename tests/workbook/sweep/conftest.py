"""Toy works under their names, and a way to call the command line on a grid."""

import pytest
import yaml

from tests.workbook.sweep import toys
from xcoll.workbook import cli
from xcoll.workbook.sweep import grid as grids
from xcoll.workbook.sweep import works


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    for name, work in toys.WORKS.items():
        monkeypatch.setitem(works.WORKS, name, work)


@pytest.fixture
def sweep(tmp_path):
    """Write a grid, call ``xcoll sweep`` on it, return its code and the folder of the results."""

    def call(*arguments, file="toy", **blocks):
        path = tmp_path / f"{file}.yaml"
        path.write_text(yaml.safe_dump({"work": "toy", **blocks}, sort_keys=False))
        reports = tmp_path / "reports"
        code = cli.main(["sweep", str(path), "--reports", str(reports), *arguments])
        return code, reports / "sweeps" / file

    return call


@pytest.fixture
def planned():
    """Tasks of a grid of toys."""

    def plan(work="toy", shared="", **blocks):
        grid = grids.parse({"work": work, **blocks}, works.WORKS)
        return grids.plan(grid, works.WORKS[work], {}, shared)

    return plan
