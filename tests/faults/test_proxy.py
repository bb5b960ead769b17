"""The proxy tells each side of the other's end, unless it is told otherwise: what it does not tell is a fault."""

from __future__ import annotations

import asyncio
import select
import socket
import struct
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from tests.faults.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

TOLD_SECONDS_MAX = 5.0

RESET = struct.pack("ii", 1, 0)
"""A socket that lingers so is not closed but reset."""


@asynccontextmanager
async def linked(folder: Path) -> AsyncIterator[tuple[socket.socket, socket.socket]]:
    """A client's end and a server's, with the proxy between them, after the client said something."""
    path, loop = str(folder / "server"), asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX) as listener, socket.socket() as client:
        listener.bind(path)
        listener.listen()
        listener.setblocking(False)
        client.setblocking(False)
        async with Proxy(partial(asyncio.open_unix_connection, path)) as proxy:
            await loop.sock_connect(client, ("127.0.0.1", proxy.port))
            server, _ = await loop.sock_accept(listener)
            with server:
                await loop.sock_sendall(client, b"half a statement, ")
                await loop.sock_recv(server, 100)
                yield client, server


async def is_told(end: socket.socket) -> bool:
    try:
        async with asyncio.timeout(TOLD_SECONDS_MAX):
            return not await asyncio.get_running_loop().sock_recv(end, 100)
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


async def test_a_client_is_told_that_the_server_ended(tmp_path: Path) -> None:
    async with linked(tmp_path) as (client, server):
        server.close()
        assert await is_told(client)


async def test_a_client_is_told_that_the_server_ended_before_it_had_read_all(tmp_path: Path) -> None:
    """A Postgres that is ended while a statement is on its way: its socket is reset, and not just closed."""
    async with linked(tmp_path) as (client, server):
        await asyncio.get_running_loop().sock_sendall(client, b"and the other half")
        while not await asyncio.to_thread(is_readable, server):
            pass
        server.close()
        assert await is_told(client)


async def test_a_server_is_told_that_the_client_was_reset(tmp_path: Path) -> None:
    async with linked(tmp_path) as (client, server):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        client.close()
        assert await is_told(server)


def is_readable(end: socket.socket) -> bool:
    """Within a moment, without reading it."""
    return bool(select.select([end], [], [], 1.0)[0])
