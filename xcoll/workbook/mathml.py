r"""Formulas of a notebook as MathML, which a browser sets without a script or an address."""

import re
import unicodedata
from itertools import pairwise, zip_longest
from xml.etree import ElementTree

from latex2mathml import converter, exceptions

from xcoll.errors import RunError

__all__ = ["to_mathml"]

# latex2mathml knows the starred alignment only; the unstarred ones would number their lines.
ENVIRONMENTS = re.compile(r"(\\(?:begin|end)\{)(?:aligned|align|split)\}")
UNDER = {"msub": "munder", "msup": "mover", "msubsup": "munderover"}
LIMITS = {"lim", "max", "min", "sup", "inf", "argmin", "argmax"}
FUNCTIONS = {"exp", "ln", "log"}
OPENING = {"(", "[", "{", "|"}
TIGHT = {"/", "|"}
SCRIPTS = {*UNDER, *UNDER.values()}
CHARACTERS = {"~": "∼"}
DOUBLE_STRUCK_ZERO = 0x1D7D8

FAULTS = (
    ElementTree.ParseError,
    StopIteration,
    ValueError,
    *(fault for fault in vars(exceptions).values() if isinstance(fault, type)),
)


def to_mathml(formula: str, *, block: bool = False) -> str:
    r"""MathML of a LaTeX formula written without its dollar signs.

    Parameters
    ----------
    formula : str
        LaTeX as MathJax would read it in JupyterLab.
    block : bool
        A display of its own, with limits above and below.

    Raises
    ------
    RunError
        For a command, an environment or a brace that the converter does not understand.
    """
    source = ENVIRONMENTS.sub(r"\1align*}", formula.strip())
    braces = re.sub(r"\\.|[^{}]", "", source, flags=re.DOTALL)
    if braces.count("{") != braces.count("}"):
        raise RunError(f"the formula {formula.strip()!r} has a brace without its pair")
    try:
        text = converter.convert(source, display="block" if block else "inline")
        tree = ElementTree.fromstring(text)
    except FAULTS as fault:
        raise RunError(
            f"the formula {formula.strip()!r} cannot be set: {type(fault).__name__} {fault}"
        ) from fault
    for node in tree.iter():
        node.tag = node.tag.rpartition("}")[2]
        if node.text and "\\" in node.text:
            raise RunError(
                f"the formula {formula.strip()!r} uses {node.text}, which is not known; "
                r"write it as \operatorname{…} or \text{…}"
            )
    for node in list(tree.iter()):
        _join_words(node)
    for node in tree.iter():
        _correct(node)
    for node in tree.iter():
        _space_functions(node)
        _tighten(node)
    if block:
        _place_limits(tree)
    return ElementTree.tostring(tree, encoding="unicode", short_empty_elements=False)


def _join_words(node: ElementTree.Element) -> None:
    """Make one identifier of upright letters side by side: ``VaR`` instead of V, a, R."""
    children = list(node)
    for before, after in pairwise(children):
        if _is_upright(before) and _is_upright(after):
            after.text = f"{before.text}{after.text}"
            node.remove(before)


def _is_upright(node: ElementTree.Element) -> bool:
    return node.tag == "mi" and node.get("mathvariant") == "normal"


def _correct(node: ElementTree.Element) -> None:
    """Make an operator of a sign or a function that was set as an identifier."""
    text = node.text or ""
    if node.tag == "mi" and len(text) == 1:
        text = CHARACTERS.get(text, text)
        if unicodedata.category(text) in ("Sm", "Ps", "Pe"):
            node.tag, node.text = "mo", text
    elif node.tag == "mi" and text in FUNCTIONS:
        node.tag = "mo"
    elif node.tag == "mn" and node.get("mathvariant") == "double-struck" and text.isdigit():
        node.text = "".join(chr(DOUBLE_STRUCK_ZERO + int(digit)) for digit in text)


def _space_functions(node: ElementTree.Element) -> None:
    """Give named functions a thin space, and none before a parenthesis: ``ln x``, ``max(x, y)``."""
    for named, after in zip_longest(node, node[1:]):
        core = named[0] if named.tag in SCRIPTS else named
        if core.tag != "mo" or not (core.text or "").isalpha():
            continue
        parts = () if after is None else after.iter()
        first = next((part.text for part in parts if part.tag != "mrow"), "(")
        core.attrib |= {
            "form": "prefix",
            "lspace": "0.1em",
            "rspace": "0" if first in OPENING else "0.17em",
        }


def _tighten(node: ElementTree.Element) -> None:
    """Take the space off slashes and bars, and off every operator in an index, as TeX does."""
    tight = [node] if node.tag == "mo" and node.text in TIGHT else []
    if node.tag in SCRIPTS:
        tight += [sign for script in node[1:] for sign in script.iter("mo")]
    for sign in tight:
        sign.attrib |= {"lspace": "0", "rspace": "0"}


def _place_limits(tree: ElementTree.Element) -> None:
    """Set what runs under ``max`` or ``lim`` under it, as a display does."""
    for node in tree.iter():
        if node.tag in UNDER and node[0].tag == "mo" and node[0].text in LIMITS:
            node.tag = UNDER[node.tag]
