"""Every figure is drawn in the house style, without a screen, and closed again."""

import matplotlib as mpl
import pytest

mpl.use("agg")
from matplotlib import pyplot as plt

from xcoll.workbook.plots import style


@pytest.fixture(autouse=True)
def _drawn():
    style.apply()
    yield
    plt.close("all")
