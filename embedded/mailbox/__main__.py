"""`python -m embedded.mailbox --data DIR --smtp-port N --http-port M` runs the mailbox until SIGTERM."""

import argparse
import asyncio
import logging
import socket
import sys
from pathlib import Path

import structlog
import uvicorn

from embedded.mailbox.http import application
from embedded.mailbox.smtp import Faults, listen
from embedded.mailbox.store import Store
from embedded.processes import termination
from runtime.http import Server
from runtime.logging import configure

log = structlog.get_logger()


async def serve(data: Path, smtp_port: int, http_port: int) -> None:
    """Run both sides until asked to stop. Raises OSError when a port or the folder cannot be used."""
    store, faults, stop = Store(data / "mail"), Faults(), termination()
    smtp = await listen(store, faults, smtp_port)
    app = application(store, faults)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=3,
    )
    page = socket.create_server(("127.0.0.1", http_port))
    server = Server(config)
    running = asyncio.create_task(server.serve(sockets=[page]))
    log.info("started", smtp_port=smtp_port, http_port=http_port, messages=len(store.find()))
    await asyncio.wait({running, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
    smtp.close()
    server.should_exit = True
    await running


def main() -> int:
    """Parse the command line and serve; 2 when a setting cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m embedded.mailbox", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder; messages are kept in its mail/")
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--http-port", type=int, required=True)
    asked = parser.parse_args()
    configure("mailbox", "info")
    logging.getLogger("mail").setLevel(logging.WARNING)  # aiosmtpd's talk quotes addresses
    try:
        asyncio.run(serve(asked.data, asked.smtp_port, asked.http_port))
    except OSError as problem:
        print(f"the mailbox cannot use {asked.data} or its ports: {problem}", file=sys.stderr)  # noqa: T201
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
