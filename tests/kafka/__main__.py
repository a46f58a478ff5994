"""`python -m tests.kafka COMMAND …`: run a command beside a fresh Apache Kafka; `{kafka}` is its address."""

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.kafka import cluster
from tests.kafka.jars import KafkaUnavailable


async def main(command: list[str]) -> int:
    """Start one node, run the command to its end, stop; returns the command's exit code."""
    with tempfile.TemporaryDirectory(prefix="wafd-kafka-") as folder:
        running = await cluster.start(Path(folder))
        try:
            words = [word.replace("{kafka}", running.address) for word in command]
            return await (await asyncio.create_subprocess_exec(*words)).wait()
        finally:
            await running.end()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python -m tests.kafka COMMAND [ARGUMENT…]")
    try:
        sys.exit(asyncio.run(main(sys.argv[1:])))
    except KafkaUnavailable as problem:
        sys.exit(str(problem))
