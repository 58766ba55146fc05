"""The errors that a user can meet; each message names the thing, the place and the fix."""

__all__ = [
    "ArtifactError",
    "DamagedRunError",
    "DataError",
    "EstimationError",
    "ParameterError",
    "RunError",
    "XcollError",
]


class XcollError(Exception):
    """Base of every error that this package raises on purpose."""


class DataError(XcollError, ValueError):
    """A file, table or price series that cannot be used as it is."""


class ParameterError(XcollError, ValueError):
    """A parameter of the wrong type or outside its range."""


class EstimationError(XcollError, ArithmeticError):
    """An estimator that cannot give an answer for the series it was given."""


class ArtifactError(XcollError, LookupError):
    """An artifact of a run that is missing, undeclared or not of its declared schema."""


class RunError(XcollError, RuntimeError):
    """A notebook of the chain that did not finish."""


class DamagedRunError(RunError):
    """A finished run whose manifest or files are not what the run wrote.

    Attributes
    ----------
    fault : str
        What is wrong; the message adds what to do.
    """

    def __init__(self, fault: str, remedy: str) -> None:
        super().__init__(f"{fault}; {remedy}")
        self.fault = fault
