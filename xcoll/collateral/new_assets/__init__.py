"""Assets with a short history: a proxy, a blend with what they have, and what stays uncertain."""

from xcoll.collateral.new_assets.peers import FACTORS, Peers, peers
from xcoll.collateral.new_assets.proxy import ASSURANCE, appraise, credibility, proxies, ridge

__all__ = [
    "ASSURANCE",
    "FACTORS",
    "Peers",
    "appraise",
    "credibility",
    "peers",
    "proxies",
    "ridge",
]
