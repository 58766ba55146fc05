import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from xcoll.market import quality
from xcoll.market.prices import Prices
from xcoll.workbook.plots import market

INDEX = pd.date_range("2020-01-01", periods=200, name="time", unit="us")


@pytest.fixture
def checked():
    path = np.exp(np.random.default_rng(0).normal(0, 0.02, (200, 3)).cumsum(axis=0))
    close = pd.DataFrame(path, INDEX, ["BTC", "ETH", "AVAX"]).assign(USDC=1.0)
    close.loc[INDEX[50], "USDC"] = 0.95
    close.loc[INDEX[80], "USDC"] = 1.03
    close.loc[INDEX[:30], "AVAX"] = np.nan
    mark = quality.Suspect("USDC", INDEX[80], INDEX[80], "no event")
    return quality.check(Prices(close), quality.Rules(pegs={"USDC": 1.0}, suspect=(mark,)))


def texts(figure):
    found = [text.get_text() for text in figure.findobj(mpl.text.Text)]
    return [text for text in found if text]


def test_coverage_draws_one_bar_an_asset_and_names_its_marks(checked):
    prices, report = checked
    figure = market.coverage(prices.close, report, "All there")
    (ax,) = figure.axes
    starts = {round(patch.get_x()) for patch in ax.patches}
    assert len(ax.patches) == 4
    assert round(mpl.dates.date2num(INDEX[30])) in starts
    assert {"All there", "date of the bar", "suspect print (kept, flagged)"} <= set(texts(figure))


def test_paths_start_at_one_hundred_on_a_log_axis(checked):
    figure = market.paths(checked[0].close, "Up")
    visible = [ax for ax in figure.axes if ax.get_visible()]
    assert [ax.get_title("left") or ax.get_title() for ax in visible] == checked[0].assets
    for ax in visible:
        own = ax.get_lines()[-1].get_ydata()
        assert own[np.isfinite(own)][0] == pytest.approx(100.0)
        assert ax.get_yscale() == "log"
    assert "price, 100 at the first bar (log scale)" in texts(figure)


def test_pegs_marks_the_suspect_print_apart_from_the_break(checked):
    prices, report = checked
    figure = market.pegs(prices.close[["USDC"]], report, 0.01, "Pegs")
    (ax,) = figure.axes
    doubted, broken = (np.asarray(dots.get_offsets()) for dots in ax.collections[-2:])
    assert doubted[:, 1].tolist() == [1.03]
    assert broken[:, 1].tolist() == [0.95]
    assert ax.get_ylabel() == "price, dollars"


def test_wicks_shows_the_deepest_lows_first_from_the_top():
    low = pd.Series([0.05, 0.30, 0.10, np.nan], INDEX[:4])
    close = pd.Series([0.02, -0.04, 0.10, 0.5], INDEX[:4])
    figure = market.wicks(close, low, "Hidden", bars=2)
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["03 Jan 2020", "02 Jan 2020"]
    to_close, to_low = (np.asarray(dots.get_offsets())[:, 0] for dots in ax.collections[-2:])
    assert to_close.tolist() == [0.10, 0.0]
    assert to_low.tolist() == [0.10, 0.30]
    assert "percent" in ax.get_xlabel()
