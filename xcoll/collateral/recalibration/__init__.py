"""Haircuts that follow the market without lurching: tools, guard rails, and what they do."""

from xcoll.collateral.recalibration.delisting import SIGNS, fallen, signs
from xcoll.collateral.recalibration.guard import (
    RULES,
    every_path,
    guarded,
    immediate,
    in_force,
    ramped,
)
from xcoll.collateral.recalibration.judge import ES_SHARE, HELD, coverage, judged, promised
from xcoll.collateral.recalibration.measures import (
    fall_back,
    largest_rise,
    longest_stay,
    peak_to_trough,
    tidy_paths,
)
from xcoll.collateral.recalibration.memory import (
    differences,
    forgotten,
    remembered,
    remembered_bar,
    without,
)
from xcoll.collateral.recalibration.readings import EVENTS, asked_on, events_in, side_by_side
from xcoll.collateral.recalibration.response import (
    expected_targets,
    step_response,
    volatility_step,
)
from xcoll.collateral.recalibration.tools import (
    EMIR,
    TOOLS,
    Damping,
    Targets,
    exhaustible_buffer,
    post,
)

__all__ = [
    "EMIR",
    "ES_SHARE",
    "EVENTS",
    "HELD",
    "RULES",
    "SIGNS",
    "TOOLS",
    "Damping",
    "Targets",
    "asked_on",
    "coverage",
    "differences",
    "events_in",
    "every_path",
    "exhaustible_buffer",
    "expected_targets",
    "fall_back",
    "fallen",
    "forgotten",
    "guarded",
    "immediate",
    "in_force",
    "judged",
    "largest_rise",
    "longest_stay",
    "peak_to_trough",
    "post",
    "promised",
    "ramped",
    "remembered",
    "remembered_bar",
    "side_by_side",
    "signs",
    "step_response",
    "tidy_paths",
    "volatility_step",
    "without",
]
