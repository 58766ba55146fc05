"""Startup file of a kernel: notes what is wrong with each figure before it is sent to the page.

IPython runs it where it lies in the startup folder of a profile; a line of JSON for each figure
goes to the file that `FIGURES_SEEN` names.
"""

import json
import os
import sys
from pathlib import Path

from IPython import get_ipython


class FigureWatch:
    """One name only, for a notebook shares the names of its kernel."""

    def labels(self, figure, axis):
        """Labels of an axis anywhere on the figure."""
        shared = figure.get_supxlabel() if axis == "x" else figure.get_supylabel()
        if any(text.get_text() == shared and text.get_style() == "italic" for text in figure.texts):
            shared = ""  # a remark under the figure names no axis
        axes = (getattr(ax, f"get_{axis}label")() for ax in figure.axes)
        return {label for label in (shared, *axes) if label.strip()}

    def titles(self, figure):
        """Titles of the figure and of its panels."""
        places = ("left", "center", "right")
        own = (ax.get_title(loc=place) for ax in figure.axes for place in places)
        return sorted({title for title in (figure.get_suptitle(), *own) if title.strip()})

    def faults(self, figure):
        """What a reader would miss."""
        found = [] if self.titles(figure) else ["no title"]
        found += [f"no label on its {axis} axis" for axis in "xy" if not self.labels(figure, axis)]
        drawn = [ax for ax in figure.axes if ax.get_visible() and ax.axison]
        return found + ["an empty axis" for ax in drawn if not ax.has_data()]

    def note(self):
        """Write a line for each open figure."""
        plt = sys.modules.get("matplotlib.pyplot")
        if plt is None:
            return
        step = json.loads(Path(os.environ["XCOLL_STEP"]).read_text(encoding="utf-8"))
        with Path(os.environ["FIGURES_SEEN"]).open("a", encoding="utf-8") as seen:
            for figure in map(plt.figure, plt.get_fignums()):
                said = {"notebook": step["notebook"], "titles": self.titles(figure)}
                seen.write(json.dumps({**said, "faults": self.faults(figure)}) + "\n")


get_ipython().events.register("post_execute", FigureWatch().note)
