import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from embedded.children import free_port
from embedded.postgres import Postgres
from tests.kafka.proxy import Link

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def link() -> AsyncIterator[Link]:
    """A link to a server that says again what it hears."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        made = Link(server.sockets[0].getsockname()[1])
        await made.start()
        yield made
        await made.stop()


async def connect(link: Link) -> Streams:
    return await asyncio.open_connection("127.0.0.1", link.port)


async def said(streams: Streams, data: bytes) -> bytes:
    reader, writer = streams
    writer.write(data)
    async with asyncio.timeout(60):
        return await reader.readexactly(len(data))


async def close(*connections: Streams) -> None:
    for _, writer in connections:
        writer.transport.abort()
    await asyncio.sleep(0)


async def test_it_carries_many_bytes_whole_and_the_end_of_them(link: Link) -> None:
    streams = await connect(link)
    data = bytes(range(256)) * 8192
    assert await said(streams, data) == data
    streams[1].write_eof()
    assert await streams[0].read() == b""
    await close(streams)


async def test_latency_holds_bytes_up_in_both_directions_but_not_one_after_another(link: Link) -> None:
    streams = await connect(link)
    link.latency_ms = 150
    clock = asyncio.get_running_loop().time
    since = clock()
    for _ in range(200):
        streams[1].write(b"x" * 100)
        await asyncio.sleep(0.005)
    async with asyncio.timeout(200 * 0.3):  # what they would take one after another
        await streams[0].readexactly(20_000)
    assert clock() - since >= 0.3
    await close(streams)


async def test_slices_arrive_a_few_bytes_at_a_time_and_whole_in_sum(link: Link) -> None:
    streams = await connect(link)
    link.slice_bytes = 7
    streams[1].write(b"0123456789" * 20)
    pieces: list[bytes] = []
    while sum(map(len, pieces)) < 200:
        pieces.append(await streams[0].read(1 << 16))
    assert b"".join(pieces) == b"0123456789" * 20
    assert len(pieces) > 5
    await close(streams)


async def test_a_cut_ends_connections_and_refuses_new_ones_until_it_is_healed(link: Link) -> None:
    streams = await connect(link)
    assert await said(streams, b"before") == b"before"
    await link.cut()
    assert await streams[0].read() == b""
    with pytest.raises(ConnectionRefusedError):
        await connect(link)
    await link.heal()
    fresh = await connect(link)
    assert await said(fresh, b"after") == b"after"
    await close(streams, fresh)


async def test_a_reset_is_an_error_to_the_client_who_may_come_again(link: Link) -> None:
    streams = await connect(link)
    assert await said(streams, b"before") == b"before"
    await link.reset()
    with pytest.raises(ConnectionResetError):
        await streams[0].read()
    fresh = await connect(link)
    assert await said(fresh, b"after") == b"after"
    await close(streams, fresh)


async def test_half_open_swallows_everything_without_a_sign(link: Link) -> None:
    old = await connect(link)
    assert await said(old, b"before") == b"before"
    await link.half_open()
    new = await connect(link)
    for reader, writer in (old, new):
        writer.write(b"anybody there?")
        await writer.drain()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.3)
        assert not reader.at_eof()
    await link.heal()
    for reader, _ in (old, new):
        with pytest.raises(ConnectionResetError):
            await reader.read()
    fresh = await connect(link)
    assert await said(fresh, b"after") == b"after"
    await close(old, new, fresh)


async def test_a_server_that_is_away_closes_the_connection() -> None:
    link = Link(free_port())
    await link.start()
    reader, writer = await connect(link)
    assert await reader.read() == b""
    await close((reader, writer))
    await link.stop()


async def test_postgresql_is_reached_through_it_and_cut_off_by_it(postgres: Postgres) -> None:
    link = Link(postgres.port)
    await link.start()
    connection = await asyncpg.connect(postgres.dsn, host="127.0.0.1", port=link.port)
    assert await connection.fetchval("SELECT 1") == 1
    await link.cut()
    with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError)):
        await connection.fetchval("SELECT 1")
    connection.terminate()
