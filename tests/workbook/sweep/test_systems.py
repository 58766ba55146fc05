"""The work "shocks" on a small synthetic market: the same shocks however they are spread."""

import json

import numpy as np
import pandas as pd
import pytest

from tests.collateral import world
from tests.workbook.sweep import market
from xcoll.errors import ParameterError
from xcoll.systemic import shocks
from xcoll.systemic.setting import Ground
from xcoll.workbook import project
from xcoll.workbook.streams import stream
from xcoll.workbook.sweep import grid as grids
from xcoll.workbook.sweep import works

SHOCKS = works.WORKS["shocks"]


@pytest.fixture(scope="module")
def read():
    return market.made()


def rows(read, chunk=1_000, **values):
    """Rows of one point, over all of its tasks."""
    blocks = {"work": "shocks", "fixed": {"draws": 250, **values}, "chunk": chunk}
    tasks = grids.plan(grids.parse(blocks, works.WORKS), SHOCKS, read, "")
    return pd.concat([SHOCKS.run(task, read) for task in tasks], ignore_index=True)


def test_shocks_are_the_same_however_they_are_spread(read):
    whole = rows(read)
    assert len(whole) == 250 * whole["venue"].nunique()
    assert whole["lost"].sum() > 0
    for chunk in (7, 100, 249):
        pd.testing.assert_frame_equal(rows(read, chunk), whole, check_exact=True)


def test_they_are_those_of_a_run_by_hand(read):
    system = market.SYSTEM.system(Ground.of(read.__getitem__), stream("system", 71))
    now, high = read["correlation_now"], read["correlation_stress_high"]
    moving = [a for a in now.index if a not in world.UNIVERSE.stablecoins]
    nu = shocks.degrees_of_freedom(read["residuals"][moving], "7D")
    law = shocks.Law.of(pd.Series(0.08, now.index), 0.9 * high + 0.1 * now, "7D", nu)
    moves = np.concatenate([law.draw(100, np.random.default_rng([1, n])) for n in range(3)])[:250]
    found = shocks.run(system, law.assets, moves, shocks.Shocks("4h", 2, 2))
    table = rows(read)
    lost = table.pivot(index="item", columns="venue", values="lost")[list(found.venues)]
    np.testing.assert_allclose(lost, found.column("lost"), rtol=1e-12)
    assert table.groupby("venue")["debt"].first().to_dict() == pytest.approx(system.debt)


def test_what_a_point_sets_reaches_the_system(read):
    usual = rows(read)
    for changes in ({"size": 150}, {"lasting": 0.0}, {"seed": 3}, {"draw_seed": 2}, {"after": 0}):
        assert not rows(read, **changes)["lost"].equals(usual["lost"]), changes
    assert rows(read, size=120)["lost"].equals(usual["lost"])
    assert set(rows(read, lenders="Aave + Maker")["venue"]) == {
        "Aave", "Maker", "lender on receipt of Aave",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lenders": "Aave + Avae"}, "Avae"),
        ({"lenders": "Aave + Aave"}, "name each once"),
        ({"size": 3}, "size"),
        ({"horizon": "soon"}, "horizon"),
        ({"takers": 1.5}, "takers"),
        ({"draws": 0}, "draws"),
    ],
)
def test_settings_that_cannot_be(read, values, message):
    with pytest.raises(ParameterError, match=message):
        rows(read, **values)


def test_a_sweep_on_two_workers_is_the_sweep_in_one_process(read, tmp_path, sweep):
    here = project.find(reports=tmp_path / "reports")
    market.finish(here, "synthetic", {name: read[name] for name in SHOCKS.artifacts})
    blocks = {"work": "shocks", "axes": {"takers": [0.0, 0.1]}, "fixed": {"draws": 60}, "chunk": 25}
    _, many = sweep("--workers", "2", "--run", "synthetic", file="many", **blocks)
    code, one = sweep("--serial", "--run", "synthetic", file="one", **blocks)
    assert code == 0
    for name in ("results.parquet", "sweep.json"):
        assert (many / name).read_bytes() == (one / name).read_bytes()
    assert (
        "07_stress_and_contagion/system_setting.json"
        in json.loads((one / "sweep.json").read_text())["inputs"]
    )
