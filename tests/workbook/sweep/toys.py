"""A tiny work, in a module that the workers of a test can import."""

import os
import signal
import time
from functools import partial

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import ParameterError
from xcoll.workbook.sweep.tasks import Setting, Work

ITEMS = 6
SLOWER = "XCOLL_TOY_SECONDS"  # time that is no value of the task


def spend(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def draw(seed, item):
    return np.random.default_rng([seed, item]).standard_normal()


def run(task, read):
    values = task.values
    spend(values["seconds"] + float(os.environ.get(SLOWER, "0")))
    if values["trouble"] != "none" and values["scale"] == values["bad"]:
        return TROUBLES[values["trouble"]](task)
    item = np.arange(task.first, task.last)
    frame = pd.DataFrame(
        {
            "item": item,
            "draw": [values["scale"] * draw(values["book_seed"], one) for one in item],
            "text": [f"{values['book_seed']}–{one}" for one in item],
        }
    )
    frame.attrs["process"] = os.getpid()
    return frame


def broken(task):
    raise ZeroDivisionError("planted failure")


def dies(task):
    os.kill(os.getpid(), signal.SIGKILL)


TROUBLES = {
    "columns": lambda task: pd.DataFrame({"item": [1.5]}),
    "die": dies,
    "index": lambda task: pd.DataFrame({"item": [1]}, index=["a"]),
    "raise": broken,
    "taken": lambda task: pd.DataFrame({"scale": [1.0]}),
}


def four(values, read):
    return 4


def span(values, read):
    if values["scale"] > 100:
        raise ParameterError("scale is over 100; take a smaller one")
    return ITEMS


SETTINGS = {
    "scale": Setting(1.0, checks.number),
    "book_seed": Setting(0, partial(checks.whole, least=0)),
    "seconds": Setting(0.0, partial(checks.at_least, least=0.0)),
    "bad": Setting(2.0, checks.number),
    "trouble": Setting("none", partial(checks.one_of, choices=["none", *TROUBLES])),
}
TOY = Work(run, SETTINGS, span, four)


def still(task, read):
    return pd.DataFrame({"item": np.arange(task.first, task.last)})


def reads(task, read):
    return still(task, read).assign(total=read["total"]["total"])


STILL = Work(still, SETTINGS, span, four)
WORKS = {"toy": TOY, "still": STILL}
