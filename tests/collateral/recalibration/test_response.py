import numpy as np
import pandas as pd
import pytest

from xcoll.collateral.recalibration import (
    TOOLS,
    Damping,
    Targets,
    expected_targets,
    post,
    step_response,
    volatility_step,
)
from xcoll.errors import ParameterError

TIMES = pd.date_range("2019-01-01", periods=1200)
STEP = TIMES[1000]


def after_a_crisis(before, after):
    sigma = volatility_step(before, after, TIMES, STEP)
    sigma.iloc[100:250] = 0.08
    return expected_targets(sigma, 4.0)


def test_the_raw_haircut_comes_as_the_exponential_weights_say():
    low, high, k, decay = 0.02, 0.06, 4.0, 0.94
    targets = expected_targets(volatility_step(low, high, TIMES, STEP), k, decay)
    n = np.arange(1, 201)
    expected = k * np.sqrt(high**2 + decay**n * (low**2 - high**2))
    np.testing.assert_allclose(targets.raw.loc[STEP:, "volatility"], expected, rtol=1e-12)
    assert (targets.raw.loc[: TIMES[999]].round(12) == k * low).all(axis=None)
    mean = (1000 * low**2 + n * high**2) / (1000 + n)
    np.testing.assert_allclose(
        targets.long_run.loc[STEP:, "volatility"], k * np.sqrt(mean), rtol=1e-12
    )
    year = ((365 - n) * low**2 + n * high**2) / 365
    np.testing.assert_allclose(
        targets.stressed.loc[STEP:, "volatility"], k * np.sqrt(year), rtol=1e-9
    )


def test_days_and_overshoot_of_a_step_are_those_of_the_closed_form():
    low, high, decay = 0.02, 0.06, 0.94
    targets = expected_targets(volatility_step(low, high, TIMES, STEP), 4.0, decay)
    wanted = (low + 0.95 * (high - low)) ** 2
    bars = np.ceil(np.log((high**2 - wanted) / (high**2 - low**2)) / np.log(decay))
    found = step_response(targets, STEP).set_index("tool")
    assert found.loc["none", "days"] == bars - 1  # the first bar after the step is day 0
    assert found.loc["none", ["calm", "overshoot"]].tolist() == pytest.approx([1.0, 0.0], abs=1e-4)
    # the raw haircut still creeps, by less than a tick, when the buffer is full
    assert found.loc["buffer", ["calm", "overshoot"]].tolist() == pytest.approx(
        [1.25, 0.25], abs=1e-4
    )
    n = np.arange(0, 201)
    raw = 4.0 * np.sqrt(high**2 + decay**n * (low**2 - high**2))
    assert found.loc["none", "rise"] == pytest.approx(raw[30] - raw[0], rel=1e-9)


def test_a_rise_that_the_buffer_holds_moves_nothing_at_first():
    targets = after_a_crisis(0.04, 0.049)
    found = step_response(targets, STEP).set_index("tool")
    assert found.loc["buffer", "days"] == 0.0
    assert found.loc["none", "days"] > 30.0
    posted = post(targets, "buffer").loc[STEP:, "volatility"]
    assert (posted.iloc[:30] == posted.iloc[0]).all()
    # the refill then takes 20 days for what the raw haircut needed twice as long for
    assert found.loc["buffer", "rise"] == pytest.approx(posted.iloc[-1] - posted.iloc[0], rel=0.02)
    assert found.loc["buffer", "rise"] > found.loc["none", "rise"]


def test_each_tool_holds_more_in_calm_and_a_past_crisis_is_not_forgotten():
    found = step_response(after_a_crisis(0.02, 0.08), STEP).set_index("tool")
    assert list(found.index) == list(TOOLS)
    assert (found["calm"].drop("none") > 1.1).all()
    assert found.loc["floor", "rise"] < found.loc["none", "rise"]
    heavier = step_response(after_a_crisis(0.02, 0.08), STEP, Damping(weight=0.5))
    assert (
        heavier.set_index("tool").loc["stressed weight", "calm"]
        > found.loc["stressed weight", "calm"]
    )


def test_a_fall_is_slower_the_longer_a_tool_remembers():
    found = step_response(after_a_crisis(0.06, 0.02), STEP).set_index("tool")
    assert found.loc["none", "days"] > 30.0
    assert found["days"].drop("none").isna().all()
    assert found.loc["buffer", "overshoot"] == pytest.approx(-0.25, abs=1e-3)
    assert found.loc["floor", "overshoot"] < found.loc["stressed weight", "overshoot"] < -0.25
    assert (found["rise"] == 0.0).all()


def test_haircuts_are_cut_at_one():
    targets = expected_targets(volatility_step(0.02, 0.5, TIMES, STEP), 4.0)
    assert isinstance(targets, Targets)
    assert targets.raw.iloc[-1].item() == 1.0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ((0.0, 0.1, STEP), "before is 0"),
        ((0.1, -0.1, STEP), "after is -0.1"),
        ((0.1, 0.2, TIMES[0]), "step is 2019-01-01"),
        ((0.1, 0.2, "2030-01-01"), "step is 2030-01-01"),
    ],
)
def test_a_step_that_is_none_is_refused(fields, message):
    before, after, step = fields
    with pytest.raises(ParameterError, match=message):
        volatility_step(before, after, TIMES, step)
    with pytest.raises(ParameterError, match="multiple is 0"):
        expected_targets(volatility_step(0.1, 0.2, TIMES, STEP), 0.0)
