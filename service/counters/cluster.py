"""A client of a Redis Cluster, used like a client of one Redis: each command goes to the master of its key.

Each master has a client of its own. What is sent in one pipeline is sent to all masters concerned at once, and one that
is away fails its own commands only. While a command waits for its answer and a replica takes over from its master, the
wait is ended at once: whatever the old master does with it is thrown away when it comes back.

redis-py's own client of clusters closes the connections to all nodes when one fails, and asks one of them about
the keys of every FCALL.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import AskError, MovedError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

from service.counters.addresses import Address, parse_cluster_url
from service.counters.links import Links, links_of
from service.counters.slots import Master, Slots, View, key_slot, read_view

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

ASK_SECONDS = 0.5
"""How long a node may take to say who has which slots: those that are well answer at once."""

PATIENCE_SECONDS = 0.5
"""How long a command waits for its answer before it is asked whether its master is still one."""

REDIRECTS_MAX = 3
"""A slot that has moved is followed once or twice; more often than that the cluster does not know itself."""

SERVER_COMMANDS = frozenset(
    ("INFO", "PING", "CONFIG", "FUNCTION", "FLUSHALL", "FLUSHDB", "KEYS", "SCAN", "TIME", "DBSIZE")
)
"""They have no key, and are for the client of one server."""

CALLS = frozenset(("FCALL", "FCALL_RO", "EVAL", "EVALSHA"))
"""Their first key is behind the name and the number of keys."""

Command = tuple[tuple[Any, ...], Mapping[str, Any]]


class Route(NamedTuple):
    """Where a command goes; `address` is None when nobody is known to have its slot. `asks` for a slot on its way."""

    slot: int
    address: Address | None
    asks: bool = False


class Cluster(Redis):
    """`options` are those of a connection, as for `Links`."""

    def __init__(self, url: str, **options: Any) -> None:
        self._seeds, told = parse_cluster_url(url)
        self._options = {**options, **told}
        self._clients: dict[Address, Redis] = {}
        self._slots = Slots()
        self._refreshing: asyncio.Task[bool] | None = None
        self._refused: ResponseError | None = None
        # Never connected; it tells the base class how replies are read.
        super().__init__(connection_pool=self._pool(self._seeds[0]))

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> ClusterPipeline:
        """`transaction` must be False: there is none over several servers."""
        if transaction:
            raise ValueError("a cluster has no transactions over several servers")
        return ClusterPipeline(self)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        command: Command = args, options
        (reply,) = await self.send([command])
        if isinstance(reply, Exception):
            raise reply
        return self.parsed(command, reply)

    def parsed(self, command: Command, reply: Any) -> Any:
        """The reply as redis-py gives it to who asks for one command."""
        words, options = command
        parse = self.response_callbacks.get(words[0])
        told = {name: option for name, option in options.items() if name != "keys"}
        return parse(reply, **told) if parse else reply

    async def send(self, commands: Sequence[Command], *, follow: bool = True) -> list[Any]:
        """The replies as they come, an exception where a command failed.

        What was answered "not here, but there" is sent there, or without `follow` left as it is; who has the slot is
        remembered either way.
        """
        await self._know()
        replies: list[Any] = [None] * len(commands)
        routes = {place: self._route(command) for place, command in enumerate(commands)}
        for _ in range(REDIRECTS_MAX):
            await self._send_along(routes, commands, replies)
            routes = {
                place: await self._redirect(reply, routes[place])
                for place in routes
                if isinstance(reply := replies[place], MovedError | AskError)
            }
            if not routes or not follow:
                break
        return replies

    async def refresh(self) -> bool:
        """Ask all nodes who has which slots; gives whether any answered. Who asks meanwhile gets the same answer."""
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._refresh(), name="cluster-refresh")
        return await asyncio.shield(self._refreshing)

    def master_of(self, key: str) -> Master | None:
        """Who has a key, as far as is known."""
        return self._slots.owner(key_slot(key.encode()))

    def client_at(self, address: Address) -> Redis:
        """The client of one node alone."""
        client = self._clients.get(address)
        if client is None:
            client = self._clients[address] = Redis.from_pool(self._pool(address))
        return client

    async def masters(self) -> dict[str, Redis]:
        """The clients of all masters, by address."""
        await self._know()
        return {str(master.address): self.client_at(master.address) for master in self._slots.masters()}

    async def nodes(self) -> dict[str, Redis]:
        """The clients of all nodes, by address, replicas too."""
        await self._know()
        return {str(address): self.client_at(address) for address in self._slots.addresses()}

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        if self._refreshing:
            await asyncio.wait([self._refreshing])
        for client in self._clients.values():
            await client.aclose(close_connection_pool)

    def _pool(self, address: Address) -> Links:
        return Links(host=address.host, port=address.port, **self._options)

    async def _know(self) -> None:
        if not self._slots.addresses() and not await self.refresh():
            if self._refused:
                raise self._refused
            raise RedisConnectionError(
                f"no node of the cluster answers at {', '.join(map(str, self._seeds))}"
            )

    def _route(self, command: Command) -> Route:
        slot = key_slot(_key_of(*command))
        owner = self._slots.owner(slot)
        return Route(slot, owner and owner.address)

    async def _redirect(self, reply: MovedError | AskError, route: Route) -> Route:
        """A host that is left out is the one that was asked."""
        assert route.address
        address = Address(reply.host or route.address.host, reply.port)
        if isinstance(reply, MovedError) and not self._slots.move(route.slot, address):
            await self.refresh()
        return Route(route.slot, address, isinstance(reply, AskError))

    async def _send_along(
        self, routes: Mapping[int, Route], commands: Sequence[Command], replies: list[Any]
    ) -> None:
        """Fills in the reply of each command that has a route."""
        by_address: dict[Address | None, list[int]] = {}
        for place, route in routes.items():
            by_address.setdefault(route.address, []).append(place)
        sent = [
            self._send_to(address, places, routes, commands, replies)
            for address, places in by_address.items()
        ]
        if len(sent) == 1:
            await sent[0]
        else:
            await asyncio.gather(*sent)

    async def _send_to(
        self,
        address: Address | None,
        places: list[int],
        routes: Mapping[int, Route],
        commands: Sequence[Command],
        replies: list[Any],
    ) -> None:
        """To one node, in one round trip. When that fails, who has the slots is asked anew before it is said."""
        try:
            if address is None:
                raise RedisConnectionError(f"no master has slot {routes[places[0]].slot}")
            words: list[tuple[Any, ...]] = []
            for place in places:
                if routes[place].asks:
                    words.append(("ASKING",))
                words.append(commands[place][0])
            async with self._while_master(address, routes[places[0]]):
                answers = iter(await links_of(self.client_at(address)).exchange(words))
            for place in places:
                if routes[place].asks:
                    next(answers)
                replies[place] = next(answers)
        except (RedisError, OSError) as failed:
            await self.refresh()
            for place in places:
                replies[place] = failed

    @asynccontextmanager
    async def _while_master(self, address: Address, route: Route) -> AsyncIterator[None]:
        """Ends what is done inside when it takes long and another node has taken the slot over meanwhile."""
        loop = asyncio.get_running_loop()
        watching: list[asyncio.Task[None]] = []
        try:
            async with asyncio.timeout(None) as patience:
                start = loop.call_later(
                    PATIENCE_SECONDS,
                    lambda: watching.append(loop.create_task(self._watch(patience, address, route))),
                )
                try:
                    yield
                finally:
                    start.cancel()
        except TimeoutError:
            if not patience.expired():
                raise
            raise RedisConnectionError(f"{address} is no longer the master of slot {route.slot}") from None
        finally:
            for task in watching:
                task.cancel()

    async def _watch(self, patience: asyncio.Timeout, address: Address, route: Route) -> None:
        while not route.asks:
            await self.refresh()
            owner = self._slots.owner(route.slot)
            if owner and owner.address != address:
                patience.reschedule(asyncio.get_running_loop().time())
                return
            await asyncio.sleep(PATIENCE_SECONDS)

    async def _refresh(self) -> bool:
        asked = [
            asyncio.create_task(self._ask(address))
            for address in dict.fromkeys((*self._slots.addresses(), *self._seeds))
        ]
        await asyncio.wait(asked, timeout=ASK_SECONDS)
        for task in asked:
            task.cancel()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        views = [answer for answer in answers if isinstance(answer, View)]
        if views:
            self._slots.learn(views)
        self._refused = next((answer for answer in answers if isinstance(answer, ResponseError)), None)
        return bool(views)

    async def _ask(self, address: Address) -> View:
        # Said in two words each, so that redis-py leaves the replies as they are.
        pipeline = self.client_at(address).pipeline(transaction=False)
        pipeline.execute_command("CLUSTER", "NODES")
        pipeline.execute_command("CLUSTER", "SLOTS")
        nodes, ranges = await pipeline.execute()
        return read_view(address, nodes, ranges)


def in_cluster(redis: Redis) -> TypeGuard[Cluster]:
    """What isinstance would say, which takes two microseconds of Python: redis-py's classes are protocols."""
    return type(redis) is Cluster


class ClusterPipeline(Pipeline):
    """Commands for several masters, each of which gets its own in one round trip."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster.connection_pool, cluster.response_callbacks, False, None)
        self._cluster = cluster

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        commands, self.command_stack = self.command_stack, []
        replies = await self._cluster.send(commands)
        for reply in replies if raise_on_error else ():
            if isinstance(reply, Exception):
                raise reply
        return [
            reply if isinstance(reply, Exception) else self._cluster.parsed(command, reply)
            for command, reply in zip(commands, replies, strict=True)
        ]


def _key_of(args: tuple[Any, ...], options: Mapping[str, Any]) -> bytes:
    """`keys` is what redis-py itself calls the keys of a command."""
    keys = options.get("keys")
    if keys:
        key = keys[0]
    elif args[0] in CALLS:
        key = args[3]
    elif len(args) < 2 or str(args[0]).partition(" ")[0] in SERVER_COMMANDS:
        raise ValueError(f"{args[0]} names no key: which server is it for?")
    else:
        key = args[1]
    return key if isinstance(key, bytes) else str(key).encode()
