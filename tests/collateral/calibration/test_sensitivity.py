"""The tornado on a calibration that can be worked by hand, and its standard changes."""

import dataclasses

import pandas as pd
import pytest

from xcoll import checks
from xcoll.collateral.calibration import sensitivity
from xcoll.collateral.calibration.policy import Policy
from xcoll.errors import EstimationError, ParameterError


@dataclasses.dataclass(frozen=True)
class Inner:
    level: float = 2.0


@dataclasses.dataclass(frozen=True)
class Choice:
    inner: Inner = dataclasses.field(default_factory=Inner)
    slope: float = 1.0
    idle: str = "x"

    def __post_init__(self):
        checks.positive("slope", self.slope)


def calibrated(choice):
    level, slope = choice.inner.level, choice.slope
    return pd.Series({"ETH": 0.1 * level * slope, "BTC": 0.2 + 0.05 * (slope - 1) ** 2})


CHANGES = {"idle": ("a", "b"), "inner.level": (1.0, 4.0), "slope": (0.5, 2.0)}


def test_the_table_by_hand():
    table = sensitivity.tornado(calibrated, Choice(), CHANGES)
    rows = table.set_index(["asset", "input"])
    assert table["asset"].tolist() == ["ETH"] * 3 + ["BTC"] * 3
    order = {asset: rows["input"].tolist() for asset, rows in table.groupby("asset")}
    assert order["ETH"] == ["inner.level", "slope", "idle"]
    assert order["BTC"] == ["slope", "idle", "inner.level"]
    level = rows.loc[("ETH", "inner.level")]
    assert level[["low_value", "high_value"]].tolist() == ["1", "4"]
    assert level.iloc[2:].tolist() == pytest.approx([0.1, 0.4, 0.2, 0.3])
    # both ends on one side of the base: the swing reaches back to it
    assert rows.loc[("BTC", "slope"), ["low", "high", "base"]].tolist() == pytest.approx(
        [0.2125, 0.25, 0.2]
    )
    assert rows.loc[("BTC", "slope"), "swing"] == pytest.approx(0.05)
    assert rows.loc[("BTC", "idle"), ["low_value", "high_value", "swing"]].tolist() == ["a", "b", 0]


def test_the_median_asset():
    found = sensitivity.median(sensitivity.tornado(calibrated, Choice(), CHANGES))
    assert found["input"].tolist() == ["slope", "inner.level", "idle"]
    assert (found["asset"] == "median").all()
    # medians of two assets are their means: moves of −0.1 and 0, of 0.2 and 0
    level = found.set_index("input").loc["inner.level"]
    assert level[["low", "high", "base", "swing"]].tolist() == pytest.approx([0.15, 0.3, 0.2, 0.15])


def test_only_one_input_moves_at_a_time():
    seen = []

    def watched(choice):
        seen.append(choice)
        return calibrated(choice)

    sensitivity.tornado(watched, Choice(), CHANGES)
    assert seen[0] == Choice()
    assert len(seen) == 7
    fields = lambda c: [c.inner.level, c.slope, c.idle]  # noqa: E731
    for choice in seen[1:]:
        assert sum(a != b for a, b in zip(fields(choice), fields(Choice()), strict=True)) == 1


def test_the_standard_changes_fit_the_policy():
    policy = Policy(position_usd=4e6, participation=0.8)
    changes = sensitivity.standard(policy)
    assert changes == {
        "tail.confidence": (0.975, 0.995), "window": ("200D", "730D"),
        "look_back": ("365D", "730D"), "horizon": ("1h", "24h"), "depth": (0.5, 2.0),
        "participation": (0.4, 1.0), "position_usd": (2e6, 8e6),
    }  # fmt: skip

    def calibrate(policy):
        hours = 1.0 if policy.horizon == "1h" else 24.0
        return pd.Series({"BTC": (1 - policy.tail.confidence) / policy.depth * hours / 100})

    table = sensitivity.tornado(calibrate, policy, changes)
    assert set(table["input"]) == set(changes)
    assert table.set_index("input").loc["position_usd", "high_value"] == "8000000"


def test_bad_input():
    with pytest.raises(ParameterError, match="'height' is no input; choose one of inner, slope"):
        sensitivity.tornado(calibrated, Choice(), {"height": (1, 2)})
    with pytest.raises(ParameterError, match="'depth' is no input; choose one of level"):
        sensitivity.tornado(calibrated, Choice(), {"inner.depth": (1, 2)})
    with pytest.raises(ParameterError, match="slope is -1"):
        sensitivity.tornado(calibrated, Choice(), {"slope": (-1.0, 2.0)})
    with pytest.raises(ParameterError, match="no input to change"):
        sensitivity.tornado(calibrated, Choice(), {})
    with pytest.raises(ParameterError, match="'slope' has no inputs of its own"):
        sensitivity.tornado(calibrated, Choice(), {"slope.far": (1, 2)})

    def partial(choice):
        return calibrated(choice).drop("BTC" if choice.slope > 1 else [])

    with pytest.raises(EstimationError, match="no haircut of BTC where slope is 2"):
        sensitivity.tornado(partial, Choice(), {"slope": (0.5, 2.0)})
