"""Startup file of a kernel: notes what is wrong with each figure before it is sent to the page.

IPython runs it where it lies in the startup folder of a profile; a line of JSON for each figure
goes to the file that `FIGURES_SEEN` names.
"""

import json
import os
import sys
from pathlib import Path

from IPython import get_ipython


def labels(figure, axis):
    """Labels of an axis anywhere on the figure."""
    shared = figure.get_supxlabel() if axis == "x" else figure.get_supylabel()
    if any(text.get_text() == shared and text.get_style() == "italic" for text in figure.texts):
        shared = ""  # a remark under the figure names no axis
    axes = (getattr(ax, f"get_{axis}label")() for ax in figure.axes)
    return {label for label in (shared, *axes) if label.strip()}


def titles(figure):
    """Titles of the figure and of its panels."""
    own = (ax.get_title(loc=place) for ax in figure.axes for place in ("left", "center", "right"))
    return sorted({title for title in (figure.get_suptitle(), *own) if title.strip()})


def faults(figure):
    """What a reader would miss."""
    found = [] if titles(figure) else ["no title"]
    found += [f"no label on its {axis} axis" for axis in "xy" if not labels(figure, axis)]
    drawn = [ax for ax in figure.axes if ax.get_visible() and ax.axison]
    return found + ["an empty axis" for ax in drawn if not ax.has_data()]


def note_figures():
    """Write a line for each open figure."""
    if "matplotlib.pyplot" not in sys.modules:
        return
    plt = sys.modules["matplotlib.pyplot"]
    with Path(os.environ["FIGURES_SEEN"]).open("a", encoding="utf-8") as seen:
        for figure in map(plt.figure, plt.get_fignums()):
            notebook = json.loads(Path(os.environ["XCOLL_STEP"]).read_text(encoding="utf-8"))
            said = {"notebook": notebook["notebook"], "titles": titles(figure)}
            seen.write(json.dumps({**said, "faults": faults(figure)}) + "\n")


get_ipython().events.register("post_execute", note_figures)
