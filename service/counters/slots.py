"""Which master of a Redis Cluster has which slots, put together from what its nodes say.

A node that was away, or is cut off, tells an old story. Each range of slots is claimed by its master under an epoch,
which rises with every failover and every move of slots, so the newest story wins whoever tells it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from redis.crc import key_slot

from service.counters.addresses import Address

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Master", "Slots", "View", "key_slot", "read_view"]


class Master(NamedTuple):
    """`id` is the node's own for as long as it lives, wherever it listens."""

    id: str
    address: Address


class Claim(NamedTuple):
    epoch: int
    first: int
    last: int
    master: Master


class View(NamedTuple):
    """What one node says: who claims which slots, and who else there is."""

    claims: list[Claim]
    replicas: list[Address]


def read_view(asked: Address, nodes: bytes, ranges: list[Any]) -> View:
    """From the replies to CLUSTER NODES, which knows the epochs, and CLUSTER SLOTS, which knows where to connect.

    A node that doesn't know its own name is where it was asked.
    """
    epochs = {words[0]: int(words[6]) for words in map(str.split, nodes.decode().splitlines()) if words}
    claims, replicas = [], []
    for first, last, (host, port, node_id, *_), *others in ranges:
        master = Master(node_id.decode(), _address(asked, host, port))
        claims.append(Claim(epochs.get(master.id, 0), first, last, master))
        replicas += [_address(asked, replica[0], replica[1]) for replica in others]
    return View(claims, replicas)


class Slots:
    """Who has which slots, as far as is known."""

    def __init__(self) -> None:
        self._claims: list[Claim] = []
        self._told: dict[int, Master] = {}
        self._replicas: list[Address] = []

    def learn(self, views: Iterable[View]) -> None:
        """Take these views in place of what was known."""
        views = list(views)
        self._claims = sorted({claim for view in views for claim in view.claims}, reverse=True)
        self._replicas = list(dict.fromkeys(address for view in views for address in view.replicas))
        self._told.clear()

    def move(self, slot: int, address: Address) -> bool:
        """A node has said that this slot is another's. Gives whether that one is known."""
        for claim in self._claims:
            if claim.master.address == address:
                self._told[slot] = claim.master
                return True
        return False

    def owner(self, slot: int) -> Master | None:
        """Who has a slot, if anybody does."""
        owner = self._told.get(slot)
        if owner is None:
            for claim in self._claims:
                if claim.first <= slot <= claim.last:
                    owner = self._told[slot] = claim.master
                    break
        return owner

    def masters(self) -> list[Master]:
        """All who have slots now."""
        found: dict[str, Master] = {}
        for claim in self._claims:
            if self.owner(claim.first) == claim.master or self.owner(claim.last) == claim.master:
                found[claim.master.id] = claim.master
        return list(found.values())

    def addresses(self) -> list[Address]:
        """All nodes that were ever told of in these views, masters first."""
        return list(dict.fromkeys([claim.master.address for claim in self._claims] + self._replicas))


def _address(asked: Address, host: bytes | None, port: int) -> Address:
    return Address(host.decode() if host else asked.host, port)
