"""A TCP link that tests make slow, slice, cut, reset or leave half open, while it carries traffic."""

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from embedded.children import free_port

CHUNK: Final = 64 * 1024
IN_FLIGHT: Final = 64
"""Chunks that wait for their time in one direction; more are not read."""
BETWEEN_SLICES: Final = 0.001
"""Seconds, so that the kernel does not put the slices together again."""
RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


class Line(Enum):
    """What the link does with connections and bytes."""

    OPEN = auto()
    CUT = auto()
    HALF_OPEN = auto()


@dataclass(eq=False)
class _Connection:
    """One client's connection, the one to the server behind it if any, and the task that carries bytes."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    task: asyncio.Task[None] | None = None

    def close(self, *, reset: bool = False) -> None:
        """Close both ends at once, by RST if so wished."""
        for writer in filter(None, (self.client, self.server)):
            connected: socket.socket | None = writer.get_extra_info("socket")
            if reset and connected is not None:
                with suppress(OSError):
                    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            writer.transport.abort()


@dataclass
class Link:
    """Carries the connections to its port on to another port of the loopback address."""

    to_port: int
    port: int = field(default_factory=free_port)
    latency_ms: float = 0.0
    """How long bytes take in each direction; may be changed at any time."""
    slice_bytes: int | None = None
    """How many bytes are passed on at a time, None for as many as come; may be changed at any time."""
    _line: Line = Line.OPEN
    _server: asyncio.Server | None = None
    _connections: set[_Connection] = field(default_factory=set)

    @property
    def address(self) -> str:
        """Where clients connect, host:port."""
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Begin to carry connections. Raises OSError when the port is taken."""
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def stop(self) -> None:
        """Close every connection and the port."""
        await self.cut()

    async def cut(self) -> None:
        """Close every connection and refuse new ones."""
        self._line = Line.CUT
        if self._server is not None:
            self._server.close()
        self._server = None
        await self._end_all(reset=False)

    async def reset(self) -> None:
        """End every connection by RST, losing what is under way; new ones are carried as before."""
        await self._end_all(reset=True)

    async def half_open(self) -> None:
        """Swallow every byte from now on, without a sign to either side; new connections are accepted."""
        self._line = Line.HALF_OPEN
        await self.start()

    async def heal(self) -> None:
        """Carry everything again; connections that were half open lack bytes, so they are reset."""
        if self._line is Line.HALF_OPEN:
            await self.reset()
        self._line, self.latency_ms, self.slice_bytes = Line.OPEN, 0.0, None
        await self.start()

    async def _end_all(self, *, reset: bool) -> None:
        ending = list(self._connections)
        tasks = [connection.task for connection in ending if connection.task is not None]
        for connection in ending:
            connection.close(reset=reset)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._connections.difference_update(ending)

    def _accept(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        connection = _Connection(client)
        self._connections.add(connection)
        connection.task = asyncio.create_task(self._carry(reader, connection))

    async def _carry(self, reader: asyncio.StreamReader, connection: _Connection) -> None:
        try:
            if self._line is Line.OPEN:
                back, connection.server = await asyncio.open_connection("127.0.0.1", self.to_port)
                async with asyncio.TaskGroup() as directions:
                    directions.create_task(self._pass_on(reader, connection.server))
                    directions.create_task(self._pass_on(back, connection.client))
        except* OSError:  # the server is away, or a side has left without a word
            pass
        else:
            while self._line is Line.HALF_OPEN and await reader.read(CHUNK):
                continue
        finally:
            if self._line is not Line.HALF_OPEN:
                connection.close()
                self._connections.discard(connection)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read ahead while earlier bytes wait for their time: latency must not limit the throughput."""
        now = asyncio.get_running_loop().time
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(IN_FLIGHT)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._deliver(waiting, writer))
            data = b"-"
            while data:
                data = await reader.read(CHUNK)
                await waiting.put((now() + self.latency_ms / 1000, data))

    async def _deliver(
        self, waiting: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
    ) -> None:
        now = asyncio.get_running_loop().time
        while True:
            due, data = await waiting.get()
            await asyncio.sleep(max(due - now(), 0))
            if not data:
                break
            await self._write(writer, data)
        if self._line is Line.OPEN and writer.can_write_eof():
            writer.write_eof()

    async def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        size = self.slice_bytes or len(data)
        for start in range(0, len(data), size):
            if self._line is not Line.OPEN:
                return
            writer.write(data[start : start + size])
            await writer.drain()
            if size < len(data):
                await asyncio.sleep(BETWEEN_SLICES)
