"""The figure of speed: bars on a log axis, the machine named, the missing said."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from xcoll.workbook.plots import benchmarks as plots


def timings(*rows):
    """Rows of (case, peer, time of the peer, or NaN where it is not installed); ours takes 2 ms."""
    table = pd.DataFrame(rows, columns=["case", "against", "peer"])
    missing = table["peer"].isna()
    return table.assign(
        subject="tail",
        package=table["against"].str.split(",").str[0],
        size="10 bars",
        unit="ms",
        ours=2.0,
        version=np.where(missing, "", "1.0"),
        faster=table["peer"] / 2.0,
        remark="",
    )


TABLE = timings(
    ("walk", "arch, cold", 200.0),
    ("walk", "arch, warm", 84.0),
    ("window", "pandas", 1.0),
    ("window", "numbagg", np.nan),
)


@pytest.mark.parametrize(
    ("value", "text"), [(0.275, "0.28×"), (0.999, "1.0×"), (9.94, "9.9×"), (164.4, "164×")]
)
def test_ratio_has_few_digits(value, text):
    assert plots.ratio(value) == text


def test_fastest_peer_of_each_case_that_is_installed():
    best = plots.fastest(TABLE)
    assert list(best["against"]) == ["arch, warm", "pandas"]
    assert list(plots.faster(TABLE)["against"]) == ["pandas"]
    assert plots.summary(TABLE) == "Tail: the fastest peer needs 0.50× to 42× our time"
    assert "- walk: 2.00 ms; arch, warm: 84.0 ms, 42×" in plots.sentences(TABLE)
    own = TABLE.assign(package=TABLE["package"].replace("pandas", plots.OWN))
    assert plots.summary(own) == "Tail: the fastest peer needs 42× our time"
    assert list(plots.named(TABLE))[-2:] == ["pandas (1.0)", "numbagg"]


def test_without_any_peer_it_says_so():
    alone = timings(("window", "numbagg", np.nan))
    assert "make peers" in plots.sentences(alone)
    assert plots.summary(alone) == "No peer is installed"
    plots.ratios(alone, "a machine")
    plt.close("all")


def test_figure_names_axes_machine_and_what_is_missing():
    figure = plots.ratios(TABLE, "a machine")
    (ax,) = figure.axes
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel()
    assert ax.get_ylabel()
    assert figure.get_suptitle() == plots.summary(TABLE)
    assert figure.get_supxlabel() == "a machine"
    written = [text.get_text() for text in ax.texts]
    assert {"100×", "42×", "0.50×", "not installed", "walk, 10 bars"} <= set(written)
    ends = [bar.get_x() + bar.get_width() for bar in ax.patches]
    np.testing.assert_allclose(ends, [100.0, 42.0, 0.5, 1.0])
    low, high = ax.get_xlim()
    assert low < 0.5
    assert high > 100.0
    plt.close(figure)
