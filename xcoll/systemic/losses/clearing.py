"""Clearing of a network of nominal liabilities, with default costs: the greatest and the least.

Node i owes L_ij to node j and o_i to outside, p̄_i = Σ_j L_ij + o_i in all, and has e_i besides its
claims.  It pays the share r_i of every obligation, all of equal rank (r_i = 1 where p̄_i = 0):

    r_i = 1                              where  e_i + Σ_j L_ji r_j ≥ p̄_i
    r_i = (α_i e_i + β_i Σ_j L_ji r_j)/p̄_i     otherwise

Eisenberg and Noe (2001), α = β = 1; Rogers and Veraart (2013), default costs where α or β < 1.  The
right-hand side Φ(r) never falls with r, so by Tarski there is a greatest and a least fixed point.

The greatest, from r = 1: who cannot pay at an r above it cannot pay at it, so the defaults D only
grow.  Φ is swept while it finds new defaults; then the linear system of D is solved, which is where
the sweeps would end, and the test made again.  When it finds nothing new, r is the fixed point.

The least, from r = 0: the solvent S only grow.  But Φ jumps up where a node becomes solvent, so
sweeps may tend to an r that is no fixed point (Rogers and Veraart, example 3.3: L_12 = 2,
L_21 = 2.2, e = 1, α = β = ½ tend to payments of (1, 1), at which node 1 has the 2 that it owes).
So when a sweep finds no one new, the limit is computed and tested, and where someone is solvent at
it the sweeps go on from it.  As no step exceeds the least fixed point, the first one found is the
least; there are at most n limits.  While S is fixed, the limit is the least solution of

    r_S = 1,   r_i = min(1, (α_i e_i + β_i Σ_j L_ji r_j)/p̄_i)

a network without default costs.  Its solution is unique where money arrives (Eisenberg and Noe,
theorem 2), and 0 where no e > 0 reaches along the liabilities: so it is the greatest solution, once
what the others owe is struck out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.csgraph import breadth_first_order
from scipy.sparse.linalg import bicgstab, spsolve

from xcoll.errors import DataError, ParameterError

__all__ = ["Clearing", "ClearingVector", "clear"]

ROUNDING = 1e-10  # of what is owed: a node that is short of less is solvent
RESIDUAL = 1e-14  # of what is owed: to which the linear systems are solved
# Factors of a random network fill up: 10,000 defaults took 36 s, and Krylov steps 0.01 s (2 cores).
DIRECT = 1_000


@dataclass(frozen=True)
class ClearingVector:
    """One fixed point.

    Attributes
    ----------
    nodes : by node, in the unit of the liabilities: ``assets`` e, ``claims`` on other nodes,
        ``owed`` p̄, ``received`` of the claims, ``paid``, ``recovery`` paid/owed (1 where nothing
        is owed), ``defaults`` (bool), ``equity`` (0 in default), ``shortfall`` owed − paid,
        ``loss`` claims − received, ``cost`` of default (1−α)e + (1−β)received.
    liabilities : csr_array, n × n, without the outside.
    rounds : sweeps and linear systems.
    residual : largest |Φ(r) − r|.
    """

    nodes: pd.DataFrame
    liabilities: sparse.csr_array
    rounds: int
    residual: float

    @property
    def defaults(self) -> pd.Index:
        """Names of the nodes in default."""
        return self.nodes.index[self.nodes["defaults"]]

    def shortfalls(self) -> pd.DataFrame:
        """What each creditor does not get, and from whom.

        Returns
        -------
        DataFrame
            One row a liability of a node in default: ``debtor``, ``creditor``, ``owed``, ``paid``,
            ``shortfall``.
        """
        L, names = self.liabilities.tocoo(), self.nodes.index
        kept = self.nodes["defaults"].to_numpy()[L.row]
        debtor, owed = L.row[kept], L.data[kept]
        paid = owed * self.nodes["recovery"].to_numpy()[debtor]
        return pd.DataFrame(
            {
                "debtor": names[debtor],
                "creditor": names[L.col[kept]],
                "owed": owed,
                "paid": paid,
                "shortfall": owed - paid,
            }
        )


@dataclass(frozen=True)
class Clearing:
    """The `greatest` and the `least` fixed point of a network; every other lies between them."""

    greatest: ClearingVector
    least: ClearingVector

    @property
    def gap(self) -> pd.Series:
        """Payments in the greatest less those in the least, by node; what is rounding is 0."""
        most, least = self.greatest.nodes["paid"], self.least.nodes["paid"]
        return (most - least).clip(lower=0.0).rename("gap")


def clear(
    liabilities: sparse.sparray | sparse.spmatrix | np.ndarray,
    assets: float | np.ndarray,
    alpha: float | np.ndarray = 1.0,
    beta: float | np.ndarray = 1.0,
    outside: float | np.ndarray = 0.0,
    names: Sequence | None = None,
) -> Clearing:
    """Greatest and least clearing payments of a network of liabilities.

    Parameters
    ----------
    liabilities : n × n, L_ij ≥ 0 owed by i to j, sparse or dense, zero on the diagonal.
    assets : e_i ≥ 0, what a node has besides its claims on the others; like all below, one number
        for all or n.
    alpha, beta : shares in (0, 1] of the assets and of what is received that are left to the
        creditors of a node in default.
    outside : owed to creditors who are no nodes, with the same rank, not negative.
    names : of the nodes; 0 … n − 1 by default.  Frames and series must have them as labels, in
        this order.

    Raises
    ------
    DataError
        Liabilities that are not square, a node that owes itself; assets, amounts outside, names or
        labels that do not fit; an entry that is negative, NaN or infinite.
    ParameterError
        alpha or beta outside (0, 1] or of another length.
    """
    L = _liabilities(liabilities)
    n = L.shape[0]
    given = {"assets": assets, "alpha": alpha, "beta": beta, "outside": outside}
    index = _nodes(names, n, liabilities=liabilities, **given)
    e, o = _by_node("assets", assets, index), _by_node("outside", outside, index)
    a, b = _by_node("alpha", alpha, index, share=True), _by_node("beta", beta, index, share=True)
    owed = L.sum(axis=1) + o
    network = _Network(L, e, owed, a, b)
    return Clearing(
        _vector(network, index, *_descend(L.T.tocsr(), owed, (e, np.ones(n)), (a * e, b))),
        _vector(network, index, *_ascend(network)),
    )


@dataclass(frozen=True)
class _Network:
    """Checked arrays in the letters of the module."""

    L: sparse.csr_array
    e: np.ndarray
    owed: np.ndarray
    alpha: np.ndarray
    beta: np.ndarray


def _solvent(worth: np.ndarray, owed: np.ndarray) -> np.ndarray:
    return worth >= owed * (1.0 - ROUNDING)


def _descend(
    claims: sparse.csr_array,
    owed: np.ndarray,
    sound: tuple[np.ndarray, np.ndarray],
    ruined: tuple[np.ndarray, np.ndarray],
) -> tuple[np.ndarray, int]:
    """Greatest r, and its rounds; `sound` and `ruined` are (assets, share of what is received)."""
    r, D = np.ones(len(owed)), np.zeros(len(owed), dtype=bool)
    rounds, settled = 0, False
    while True:
        received = claims @ r
        failed = D | ~_solvent(sound[0] + sound[1] * received, owed)
        new = (failed != D).any()
        if settled and not new:
            return r, rounds
        D, settled, rounds = failed, not new, rounds + 1
        if new:
            r[D] = (ruined[0] + ruined[1] * received)[D] / owed[D]
        else:
            r[D] = _system(claims, owed, D, *ruined)


def _ascend(network: _Network) -> tuple[np.ndarray, int]:
    """Least r, and its rounds."""
    L, e, owed = network.L, network.e, network.owed
    ruined = network.alpha * e, network.beta
    claims = (sparse.diags_array(_reached(L, e > 0).astype(float)) @ L).T.tocsr()
    r, S = np.zeros(len(owed)), np.zeros(len(owed), dtype=bool)
    rounds, settled = 0, False
    while True:
        received = claims @ r
        sound = S | _solvent(e + received, owed)
        new = (sound != S).any()
        if settled and not new:
            return r, rounds
        S, settled = sound, not new
        if new:
            rounds += 1
            r = np.divide(ruined[0] + ruined[1] * received, owed, where=~S, out=np.ones(len(owed)))
        else:
            ceiling = np.where(S, np.inf, ruined[0]), ruined[1]
            r, steps = _descend(claims, owed, ceiling, ruined)
            rounds += steps


def _reached(L: sparse.csr_array, sources: np.ndarray) -> np.ndarray:
    """Nodes to which a payment can come from `sources` along the liabilities, these included."""
    n = len(sources)
    start = sparse.csr_array(sources.astype(float)[None, :])
    graph = sparse.block_array([[L, None], [start, sparse.csr_array((1, 1))]], format="csr")
    reached = np.zeros(n + 1, dtype=bool)
    reached[breadth_first_order(graph, n, return_predecessors=False)] = True
    return reached[:n]


def _system(
    claims: sparse.csr_array, owed: np.ndarray, D: np.ndarray, assets: np.ndarray, share: np.ndarray
) -> np.ndarray:
    """r_D that solves ``p̄ r = assets + share · claims r`` on D while all others pay in full."""
    if not D.any():
        return np.empty(0)
    rows, share, owed = claims[D], share[D], owed[D]
    A = sparse.diags_array(share / owed) @ rows[:, D]
    b = (assets[D] + share * (rows @ (~D).astype(float))) / owed
    x = np.zeros(len(b))
    if len(b) > DIRECT:
        system = sparse.eye_array(len(b), format="csr") - A
        for _ in range(4):  # each solves for what the last one left over
            x += bicgstab(system, b + A @ x - x, rtol=1e-12, atol=0.0, maxiter=300)[0]
            if np.abs(b + A @ x - x).max() <= RESIDUAL:
                return x
    # A long chain or ring takes as many Krylov steps as it has nodes, but its factors do not fill.
    return np.atleast_1d(spsolve(sparse.csc_array(sparse.eye_array(len(b)) - A), b))


def _vector(network: _Network, index: pd.Index, r: np.ndarray, rounds: int) -> ClearingVector:
    L, e, owed = network.L, network.e, network.owed
    received, claims = L.T @ r, L.sum(axis=0)
    worth = e + received
    left = network.alpha * e + network.beta * received
    defaults = ~_solvent(worth, owed)
    again = np.divide(left, owed, where=defaults, out=np.ones(len(owed)))
    paid = r * owed
    nodes = {
        "assets": e,
        "claims": claims,
        "owed": owed,
        "received": received,
        "paid": paid,
        "recovery": r,
        "defaults": defaults,
        "equity": np.where(defaults, 0.0, np.maximum(worth - owed, 0.0)),
        "shortfall": owed - paid,
        "loss": claims - received,
        "cost": np.where(defaults, worth - left, 0.0),
    }
    residual = float(np.abs(again - r).max(initial=0.0))
    return ClearingVector(pd.DataFrame(nodes, index=index), L, rounds, residual)


def _liabilities(liabilities: sparse.sparray | sparse.spmatrix | np.ndarray) -> sparse.csr_array:
    if not sparse.issparse(liabilities):
        liabilities = np.asarray(liabilities, dtype=float)
    if liabilities.ndim != 2 or liabilities.shape[0] != liabilities.shape[1]:
        raise DataError(f"liabilities have the shape {liabilities.shape}; give nodes × nodes")
    if not liabilities.shape[0]:
        raise DataError("liabilities hold no node; give at least one")
    L = sparse.csr_array(liabilities, dtype=float, copy=True)
    L.sum_duplicates()
    L.eliminate_zeros()
    bad = np.flatnonzero(~(np.isfinite(L.data) & (L.data >= 0.0)))
    if len(bad):
        entries = L.tocoo()
        i, j = int(entries.row[bad[0]]), int(entries.col[bad[0]])
        raise DataError(
            f"liabilities[{i}, {j}] is {L.data[bad[0]]:g}, one of {len(bad)} that are negative or "
            "not finite; give what i owes to j, and the reverse as what j owes to i"
        )
    own = np.flatnonzero(L.diagonal())
    if len(own):
        raise DataError(f"node {own[0]} owes itself {L.diagonal()[own[0]]:g}; net it out")
    return L


def _nodes(names: Sequence | None, n: int, **inputs: object) -> pd.Index:
    index = pd.RangeIndex(n, name="node") if names is None else pd.Index(names, name="node")
    if len(index) != n:
        raise DataError(f"{len(index)} names for {n} nodes; give one a node")
    if not index.is_unique:
        raise DataError(
            f"names hold {index[index.duplicated()][0]!r} twice; give each node its own"
        )
    for name, values in inputs.items():
        if any(not axis.equals(index) for axis in getattr(values, "axes", ())):
            raise DataError(f"labels of {name} are not those of the nodes; give names in its order")
    return index


def _by_node(
    name: str, values: float | np.ndarray, index: pd.Index, share: bool = False
) -> np.ndarray:
    error, wanted = (ParameterError, "in (0, 1]") if share else (DataError, "finite, 0 or more")
    values = np.asarray(values, dtype=float)
    if values.shape not in ((len(index),), ()):
        raise error(f"{name} has the shape {values.shape}; give one number, or {len(index)}")
    values = np.broadcast_to(values, len(index))
    good = (values > 0.0) & (values <= 1.0) if share else np.isfinite(values) & (values >= 0.0)
    if not good.all():
        worst = int(np.argmin(good))
        raise error(f"{name} of node {index[worst]!r} is {values[worst]:g}; give a number {wanted}")
    return values
