"""A chain of small books, few paths and rare refits: the same code in a third of the time."""

VALUES = {
    "02_volatility": {"refit_every": "14D"},
    "04_tail_risk": {"replications": 100},
    "05_haircuts": {"replications": 100, "calibrate_from": "2022-01-01"},
    "05b_baskets": {"paths": 2_000},
    "05c_recalibration": {"trial_every": "364D"},
    "06_liquidation_backtest": {"cohort_size": 800, "side_size": 200, "every": "28D"},
    "06b_thresholds": {"size": 300, "factors": "[0.6, 1.0, 1.7]"},
    "06c_surroundings": {"size": 200, "paths": 40},
    "07_stress_and_contagion": {"size": 200},
    "07b_scenarios": {
        "size": 60,
        "cell": 8,
        "draws": 3_000,
        "pushed": 800,
        "confidences": "[0.98, 0.99]",
    },
    "08c_margin_backtest": {"every": "28D"},
    "07c_breakers": {"size": 100, "draws": 120, "severities": '["severe"]', "largest": 2},
}


def arguments(*steps: str) -> list[str]:
    """What `xcoll run` is given for it, in these notebooks only or in all."""
    pairs = [
        f"{step}.{name}={value}" for step in steps or VALUES for name, value in VALUES[step].items()
    ]
    return [word for pair in pairs for word in ("-p", pair)]
