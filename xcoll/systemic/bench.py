"""Arrays by account that one episode after another works on.

Most of a cascade touches few accounts, and new memory costs more than that: an episode leaves its
bench as it found it, and the next one takes it.  Who takes a bench has it alone.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from xcoll.liquidation._kernels import ACCOUNT, State
from xcoll.systemic import _kernels

__all__ = ["Bench"]


@dataclass(frozen=True)
class Bench:
    """Working arrays of N accounts; clean wherever no episode is running.

    Attributes
    ----------
    state : of the accounts, as the kernels of a replay know it.
    key, drawn, first, round, served : see `_kernels.Accounts`.
    account : N × `ACCOUNT`, what happened to them.
    queue, fresh, touched, mark : see `_kernels.Crowd`.
    """

    state: State
    key: np.ndarray
    drawn: np.ndarray
    first: np.ndarray
    round: np.ndarray
    served: np.ndarray
    account: np.ndarray
    queue: np.ndarray
    fresh: np.ndarray
    touched: np.ndarray
    mark: np.ndarray

    @classmethod
    def of(cls, accounts: int, assets: int) -> Self:
        """A clean bench."""
        none = np.zeros((1, 1))

        def zeros() -> np.ndarray:
            return np.zeros(accounts)

        def never() -> np.ndarray:
            return np.full(accounts, -1, dtype=np.int64)

        state = State(
            held=none,
            lent=none,
            collateral=np.empty((accounts, assets)),
            debt=np.empty((accounts, assets)),
            scale=np.ones(accounts),
            level=np.ones(accounts),
            budget=zeros(),
            reply=never(),
            due=never(),
            lot=np.zeros((assets, accounts)),
            claim=zeros(),
            tab=zeros(),
            top=zeros(),
            kick=zeros(),
            large=np.zeros(accounts, dtype=bool),
            least=np.ones(accounts),
            turn=never(),
            wakes=never(),
        )
        return cls(
            state,
            key=zeros(),
            drawn=zeros(),
            first=never(),
            round=never(),
            served=never(),
            account=np.zeros((accounts, len(ACCOUNT))),
            queue=never(),
            fresh=never(),
            touched=never(),
            mark=np.zeros(accounts, dtype=bool),
        )

    def open(
        self, key: np.ndarray, tiered: np.ndarray, level: np.ndarray, budget: np.ndarray
    ) -> None:
        """Take what an episode brings for all accounts; those with tiers are looked at first."""
        self.key[:] = key
        self.key[tiered] = -1.0
        self.state.scale[:], self.state.level[:], self.state.budget[:] = 1.0, level, budget
        self.state.large[:] = False

    def crowd(self, eager: np.ndarray) -> _kernels.Crowd:
        """The crowd of an episode in which the accounts `eager` borrow again."""
        counts = np.zeros(3, dtype=np.int64)
        return _kernels.Crowd(self.queue, self.fresh, eager, self.touched, self.mark, counts)
