"""Apache Kafka's jars, fetched by Maven once into `.kafka/`, and the Java that runs them."""

import asyncio
import errno
import re
import shutil
import tempfile
from pathlib import Path
from typing import Final

from embedded.children import EmbeddedServerError

POM: Final = Path(__file__).parent / "pom.xml"
CACHE: Final = Path(__file__).parents[2] / ".kafka"
OLDEST_JAVA: Final = 17
FETCHED_WITHIN: Final = 150.0


class KafkaUnavailable(EmbeddedServerError):
    """Apache Kafka cannot run here: {reason}."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Apache Kafka cannot run here: {reason}")


async def java() -> Path:
    """The Java that runs Kafka. Raises `KafkaUnavailable`."""
    found = shutil.which("java")
    if found is None:
        raise KafkaUnavailable(f"no java on the PATH: install Java {OLDEST_JAVA} or newer")
    _, said = await _said(found, "-version")
    version = re.search(r'version "(\d+)', said)
    if version is None:
        raise KafkaUnavailable(f"{found} does not tell its version: install Java {OLDEST_JAVA} or newer")
    if int(version[1]) < OLDEST_JAVA:
        raise KafkaUnavailable(f"{found} is Java {version[1]}: install Java {OLDEST_JAVA} or newer")
    return Path(found)


async def classpath() -> str:
    """Kafka's class path; the first call on a checkout fetches the jars. Raises `KafkaUnavailable`."""
    jars = CACHE / _version()
    if not jars.exists():
        await _fetch(jars)
    return f"{jars}/*"


async def _fetch(jars: Path) -> None:
    """Fetch under another name first: two test runs may do so at once, and either may be killed."""
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaUnavailable("no mvn on the PATH: install Maven, which fetches it")
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{jars.name}.", dir=CACHE) as folder:
        fresh = Path(folder) / "jars"
        copy = ("dependency:copy-dependencies", f"-DoutputDirectory={fresh}", "-DincludeScope=runtime")
        code, said = await _said(maven, "--quiet", "--batch-mode", f"--file={POM}", *copy)
        if code != 0:
            why = next((line for line in said.splitlines() if "ERROR" in line), "it said nothing")
            raise KafkaUnavailable(f"Maven could not fetch it ({why.strip()})")
        try:
            fresh.rename(jars)
        except OSError as problem:
            if problem.errno not in {errno.EEXIST, errno.ENOTEMPTY}:  # another run was faster
                raise


async def _said(*program: str) -> tuple[int, str]:
    """Run a program; its exit code and what it said."""
    process = await asyncio.create_subprocess_exec(
        *program,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(FETCHED_WITHIN):
            said, _ = await process.communicate()
    except TimeoutError:
        raise KafkaUnavailable(f"{program[0]} gave no answer for {FETCHED_WITHIN:.0f} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, said.decode(errors="replace")


def _version() -> str:
    found = re.search(r"<kafka\.version>(.+)</kafka\.version>", POM.read_text("utf-8"))
    assert found, POM
    return found[1]
