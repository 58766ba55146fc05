"""`xcoll params`: what a notebook can be told."""

import argparse

from xcoll.workbook.commands.common import columns

__all__ = ["HELP", "arguments", "call"]

HELP = "the parameters of a notebook"


def arguments(parser: argparse.ArgumentParser) -> None:
    """What `xcoll params` takes."""
    parser.add_argument("notebook")


def call(options: argparse.Namespace) -> int:
    """Show them; always 0."""
    from xcoll.workbook import parameters, project

    here = project.find()
    name = here.chain.resolve(options.notebook)
    rows = [
        (parameter.name, parameter.annotation, repr(parameter.default), parameter.comment)
        for parameter in parameters.read(here.notebooks / f"{name}.ipynb")
    ]
    columns([("name", "type", "default", "unit and range"), *rows])
    return 0
