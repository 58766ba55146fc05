"""All cases by subject, in the order of the table."""

from tests.benchmarks import (
    correlation,
    evaluation,
    liquidation,
    margin,
    recalibration,
    systemic,
    tail,
    volatility,
)

CASES = {
    "volatility": volatility.CASES,
    "correlation": correlation.CASES,
    "tail": tail.CASES,
    "evaluation": evaluation.CASES,
    "recalibration": recalibration.CASES,
    "liquidation": liquidation.CASES,
    "systemic": systemic.CASES,
    "margin": margin.CASES,
}
