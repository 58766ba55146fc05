"""Averages of outcomes over cohorts: intervals, differences, tails, crises."""

import numpy as np
import pandas as pd
import pytest

from xcoll.errors import EstimationError
from xcoll.liquidation import outcomes


def test_tails_by_case_and_horizon():
    losses = {"a": np.full((8, 6), 0.01), "b": np.full((8, 6), 0.02)}
    horizons = {"short": 1, "long": 3}
    table = outcomes.tails(losses, horizons, 0.9, np.random.default_rng(1), 2, 10)
    assert table[["case", "horizon"]].to_numpy().tolist() == [
        ["a", "short"], ["a", "long"], ["b", "short"], ["b", "long"],
    ]  # fmt: skip
    assert table["es_high"].tolist() == pytest.approx([0.01, 0.03, 0.02, 0.06])
    assert table["windows"].tolist() == [48, 16, 48, 16]


def test_paired_differences():
    rng = np.random.default_rng(3)
    base = pd.DataFrame({"x": rng.random(40), "y": np.where(np.arange(40) < 10, 1.0, 0.0)})
    noise = base + rng.normal(0, 1, (40, 2))
    cases = {"same": base, "all": base, "less": base - 0.25, "noise": noise}
    table = outcomes.paired(cases, "all", ["x", "y"], rng, 5, 200).set_index(["case", "outcome"])
    assert table.index.unique("case").tolist() == ["same", "less", "noise"]
    same = table.loc["same"]
    assert (same[["mean", "low", "high", "affected"]] == 0.0).all(axis=None)
    assert not same["differs"].any()
    less = table.loc["less"]  # positive where the base has more
    np.testing.assert_allclose(less[["mean", "low", "high"]], 0.25)
    assert less["differs"].all()
    assert less["affected"].eq(1.0).all()
    noise = table.loc[("noise", "x")]
    assert noise["mean"] == pytest.approx((base["x"] - cases["noise"]["x"]).mean())
    assert noise["low"] < noise["mean"] < noise["high"]
    some = outcomes.paired({"b": base, "a": base.assign(y=0.0)}, "b", ["y"], rng, 5, 200).iloc[0]
    assert (some["mean"], some["affected"]) == (0.25, 0.25)


def test_paired_needs_two_blocks():
    base = pd.DataFrame({"x": np.ones(9)})
    with pytest.raises(EstimationError, match="two blocks"):
        outcomes.paired({"a": base, "b": base}, "a", ["x"], np.random.default_rng(1), 5)


def test_average_covers_the_mean_of_overlapping_cohorts():
    """Moving averages of five: blocks cover about as promised, single draws far too seldom."""
    rng = np.random.default_rng(4)
    hits = {5: 0, 1: 0}
    for _ in range(120):
        series = np.convolve(rng.exponential(1, 154), np.ones(5) / 5, mode="valid")
        frame = pd.DataFrame({"x": series})
        for block in hits:
            row = outcomes.average(frame, ["x"], rng, block * 2 if block > 1 else 1, 200).loc["x"]
            hits[block] += bool(row["low"] <= 1 <= row["high"])
    assert hits[5] / 120 > 0.78
    assert hits[1] / 120 < 0.65


def test_average_columns_and_seed():
    frame = pd.DataFrame({"x": np.arange(50.0), "y": 1.0})
    first = outcomes.average(frame, ["x", "y"], np.random.default_rng(1))
    again = outcomes.average(frame, ["x", "y"], np.random.default_rng(1))
    pd.testing.assert_frame_equal(first, again)
    assert first.loc["y"].eq(1).all()
    assert first.loc["x", ["mean", "median", "worst"]].tolist() == [24.5, 24.5, 49]
    assert first.loc["x", "low"] < 24.5 < first.loc["x", "high"]


def test_average_needs_two_blocks():
    with pytest.raises(EstimationError, match="two blocks"):
        outcomes.average(pd.DataFrame({"x": np.ones(9)}), ["x"], np.random.default_rng(1))


def test_readings_by_service():
    frame = pd.DataFrame({"service": ["path"] * 20 + ["low"] * 20})
    names = ["realised", "under_water", "trough", "penalty", "closed", "premature", "insufficient"]
    for place, name in enumerate(names):
        frame[name] = place + (frame["service"] == "low") * 10.0
    table = outcomes.readings(frame, np.random.default_rng(1), 5)
    assert table["service"].unique().tolist() == ["path", "low"]
    table = table.set_index(["service", "outcome"])
    assert table.loc[("path", "trough"), "mean"] == 2
    assert table.loc[("low", "penalty"), "high"] == 13


SHOWN = [
    "bad_debt", "trough", "penalty", "premature_penalty", "fee", "covered",
    "closed", "premature", "insufficient",
]  # fmt: skip


def cohorts_of(rows):
    frame = pd.DataFrame(rows, columns=["engine", "kind", "start", "bad_debt"])
    frame["start"] = pd.to_datetime(frame["start"])
    return frame.assign(**dict.fromkeys(SHOWN[1:], 0.5))


def test_crises_in_time_engines_as_found():
    made = outcomes.by_crisis(
        cohorts_of(
            [
                ("path", "weekly", "2022-01-01", 9.0),
                ("path", "B", "2022-03-01", 0.2),
                ("path", "B", "2022-02-20", 0.4),
                ("path", "A", "2022-02-01", 0.1),
                ("low", "weekly", "2022-01-01", 9.0),
                ("low", "B", "2022-03-01", 0.6),
                ("low", "A", "2022-02-01", 0.3),
            ]
        ),
        "engine",
    )
    assert made.columns.tolist() == ["engine", "crisis", "cohorts", *SHOWN]
    assert made.iloc[:, :3].to_numpy().tolist() == [
        ["path", "A", 1], ["path", "B", 2], ["low", "A", 1], ["low", "B", 1],
    ]  # fmt: skip
    assert made["bad_debt"].tolist() == pytest.approx([0.1, 0.3, 0.3, 0.6])


def test_a_history_without_a_crisis_has_none():
    assert outcomes.by_crisis(cohorts_of([("a", "weekly", "2022-01-01", 1.0)]), "engine").empty
