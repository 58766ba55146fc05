"""`xcoll warm`: compile the kernels while the environment is made."""

import argparse

__all__ = ["HELP", "arguments", "call"]

HELP = "compile the kernels once"


def arguments(parser: argparse.ArgumentParser) -> None:
    """`xcoll warm` takes nothing."""


def call(options: argparse.Namespace) -> int:
    """Compile; always 0."""
    from xcoll.workbook.warm import warm

    modules, seconds = warm()
    print(f"kernels of {modules} modules compiled or loaded in {seconds:.1f} s")
    return 0
