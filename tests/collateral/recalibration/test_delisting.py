import math

import pandas as pd
import pytest

from xcoll.collateral.recalibration import SIGNS, fallen, signs
from xcoll.errors import DataError, ParameterError

# Closes of LUNA on 8 to 13 May 2022; the days before are made up.
DAYS = pd.date_range("2022-05-06", "2022-05-13")
CLOSES = pd.DataFrame({"LUNA": [80.0, 64.0, 64.0, 32.0, 17.5, 1.07, 0.0036, 0.0001]}, DAYS)
LOSSES = 1.0 - CLOSES.shift(-1) / CLOSES  # stamped at the decision


def path(*values):
    return pd.DataFrame({"LUNA": values}, DAYS, dtype=float)


FAST = path(0.3, 0.3, 0.3, 0.4, 0.55, 0.7, 0.9, 0.95)
SLOW = path(0.3, 0.3, 0.3, 0.305, 0.305, 0.305, 0.31, 0.31)


def rows(limit=0.5, since="2022-05-06", **frames):
    targets = frames.get("targets", {"none": FAST, "floor": FAST})
    held = frames.get("held", {"none": FAST, "floor": SLOW})
    losses, closes = frames.get("losses", LOSSES), frames.get("closes", CLOSES)
    found = signs("LUNA", targets, held, losses, closes, limit, since)
    return found.set_index(["tool", "what"])


def test_when_each_rule_said_so_and_what_was_left():
    found = rows()
    assert list(found.loc["none"].index) == list(SIGNS)
    assert found.loc[("none", "target"), "said"] == pd.Timestamp("2022-05-10")
    assert found.loc[("floor", "target"), "said"] == pd.Timestamp("2022-05-10")
    # 64 to 32 is a loss of 0.5 beyond 0.3, seen at the close of the 9th
    assert found.loc[("none", "loss"), "said"] == pd.Timestamp("2022-05-09")
    left = found.loc[("none", "loss")]
    assert left["price_left"] == 32.0 / 80.0
    assert left["fell_after"] == pytest.approx(1.0 - 0.0001 / 32.0)
    # lent 0.6 of 32 that day, closed at 17.5 on the next
    assert left["lost_after"] == pytest.approx(1.0 - (17.5 / 32.0) / 0.6)
    late = found.loc[("none", "in force")]
    assert late["said"] == pd.Timestamp("2022-05-10")
    assert late["lost_after"] == pytest.approx(1.0 - (1.07 / 17.5) / 0.45)


def test_a_guarded_haircut_that_never_gets_there_says_nothing():
    row = rows().loc[("floor", "in force")]
    assert pd.isna(row["said"])
    assert row[["price_left", "fell_after", "lost_after"]].isna().all()
    assert rows()["said"].dtype.kind == "M"


def test_a_loan_that_is_covered_loses_nothing_and_where_nothing_was_lent_neither():
    held = {"none": path(0.3, 0.3, 0.3, 0.49, 0.99, 1.0, 1.0, 1.0)}
    found = rows(targets={"none": path(*[0.6] * 8)}, held=held)
    first = found.loc[("none", "target")]
    assert first["said"] == DAYS[0]
    assert first["lost_after"] == 0.0  # 80 to 64 is within 0.3
    assert found.loc[("none", "in force"), "lost_after"] == 0.0
    whole = rows(0.995, targets=held, held=held).loc[("none", "in force")]
    assert whole["said"] == pd.Timestamp("2022-05-11")
    assert whole["lost_after"] == 0.0


def test_signs_count_from_the_reference_day_on():
    found = rows(since="2022-05-11")
    assert (found["said"].dropna() >= "2022-05-11").all()
    assert found.loc[("none", "target"), "price_left"] == 1.0
    assert found.loc[("none", "loss"), "said"] == pd.Timestamp("2022-05-11")


def test_an_asset_that_recovers_fell_no_further():
    up = CLOSES.assign(LUNA=[80.0, 64.0, 64.0, 32.0, 40.0, 50.0, 60.0, 70.0])
    found = rows(closes=up, losses=1.0 - up.shift(-1) / up)
    assert found.loc[("none", "loss"), "said"] == pd.Timestamp("2022-05-09")
    assert found.loc[("none", "loss"), "fell_after"] == 0.0
    assert found.loc[("floor", "loss"), "price_left"] == 0.4


def test_a_calibration_of_another_day_is_seen_on_the_next_bar():
    weekly = pd.DataFrame(
        {"LUNA": [0.3, 0.8]}, pd.DatetimeIndex(["2022-05-01", "2022-05-08 12:00"])
    )
    found = rows(targets={"none": weekly}, held={"none": SLOW})
    assert found.loc[("none", "target"), "said"] == pd.Timestamp("2022-05-09")


def test_a_sign_looks_at_nothing_to_come():
    later = DAYS > "2022-05-10"
    calm = LOSSES.mask(pd.DataFrame({"LUNA": DAYS >= "2022-05-10"}, DAYS), 0.0)
    flat = CLOSES.mask(pd.DataFrame({"LUNA": later}, DAYS), 17.5)
    before, after = rows(), rows(losses=calm, closes=flat)
    for key in [("none", "target"), ("none", "loss"), ("floor", "loss")]:
        assert after.loc[key, "said"] == before.loc[key, "said"]
        assert after.loc[key, "price_left"] == before.loc[key, "price_left"]
    assert after.loc[("none", "target"), "fell_after"] == 0.0
    assert after.loc[("none", "target"), "lost_after"] == 0.0


def test_nothing_comes_after_the_last_bar():
    held = {"none": path(*[0.3] * 7, 0.6)}
    row = rows(held=held, targets=held).loc[("none", "in force")]
    assert row["said"] == DAYS[-1]
    assert math.isnan(row["fell_after"])
    assert math.isnan(row["lost_after"])


def test_what_was_not_in_force_yet_lost_nobody_knows_how_much():
    held = {"none": FAST.mask(FAST <= 0.4)}
    row = rows(targets={"none": path(*[0.6] * 8)}, held=held).loc[("none", "target")]
    assert row["said"] == DAYS[0]
    assert math.isnan(row["lost_after"])


def test_what_is_missing_is_named():
    with pytest.raises(DataError, match="LUNA has no close at 2021-01-01"):
        rows(since="2021-01-01")
    with pytest.raises(DataError, match="the haircuts in force of none have no column LUNA"):
        rows(targets={"none": FAST}, held={"none": FAST.rename(columns={"LUNA": "UST"})})
    with pytest.raises(ParameterError, match=r"differ in \['floor'\]"):
        rows(targets={"none": FAST})
    with pytest.raises(ParameterError, match=r"limit is 50.*did you mean 0\.5"):
        rows(limit=50)


def test_what_is_not_there_gives_way_to_what_fell_furthest():
    days = pd.date_range("2022-01-01", periods=100, freq="D")
    closes = pd.DataFrame({"A": 1.0, "B": 2.0}, days)
    closes.loc[days[40], "A"] = 1.5
    closes.loc[days[50:], "A"] = 0.1
    closes.loc[days[10:20], "B"] = 1.0
    assert fallen(closes, "B", "2022-01-05") == ("B", pd.Timestamp("2022-01-05"))
    assert fallen(closes, "LUNA", "2022-05-08") == ("A", days[40])
    # an asset that still stands where the data end before its date
    assert fallen(closes, "B", "2022-04-11") == ("A", days[40])
