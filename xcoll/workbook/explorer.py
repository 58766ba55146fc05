"""The frontier at the touch of a slider: every setting was computed before, none is now.

In a report, where nothing can be moved, the figure of all frontiers stands in its place.
"""

from typing import TYPE_CHECKING

import pandas as pd

from xcoll.errors import DataError
from xcoll.workbook import lab
from xcoll.workbook.plots import explorer as plots

if TYPE_CHECKING:
    import ipywidgets

__all__ = ["explore"]

TITLES = {"factor": "1 − LT", "bonus": "bonus", "horizon": "close-out"}


def explore(table: pd.DataFrame) -> None:
    """Sliders for threshold, bonus and horizon over `table`, or all of it as one figure.

    Parameters
    ----------
    table : DataFrame
        Of `liquidation.explorer.grid`: a row for each horizon, bonus and factor.

    Raises
    ------
    DataError
        Where the table is empty, or lacks a setting that the sliders could reach.
    """
    names = [*TITLES]
    choices = {name: list(dict.fromkeys(table[name])) for name in names}
    wanted = pd.MultiIndex.from_product(choices.values(), names=names)
    missing = wanted.difference(pd.MultiIndex.from_frame(table[names]))
    if table.empty or len(missing):
        lacks = "it is empty" if table.empty else f"{missing[0]} is missing"
        raise DataError(f"the explorer needs every setting of its table: {lacks}; compute the grid")
    if not lab.at_work():
        plots.frontiers(table)
        return
    import ipywidgets
    from IPython.display import display
    from matplotlib import pyplot as plt

    def draw(**chosen: object) -> None:
        plots.setting(table, **chosen)
        plt.show()

    sliders = {name: _slider(name, choices[name]) for name in names}
    shown = ipywidgets.interactive_output(draw, sliders)
    display(ipywidgets.VBox([ipywidgets.HBox(list(sliders.values())), shown]))


def _slider(name: str, values: list) -> "ipywidgets.SelectionSlider":
    """A slider over `values`, numbers in order, that starts at what 05 says."""
    import ipywidgets

    if isinstance(values[0], str):
        options, start = [(one, one) for one in values], values[0]
    else:
        options = [(f"× {one:g}", one) for one in sorted(values)]
        start = min(values, key=lambda one: abs(one - 1.0))
    return ipywidgets.SelectionSlider(
        options=options, value=start, description=TITLES[name], continuous_update=True
    )
