"""What is kept how long: published events, the inbox's memory, the content of settled messages."""

from datetime import timedelta

from runtime.queries import load_queries
from runtime.settings import Settings
from runtime.transaction import Transaction

SQL = load_queries(__file__)

SWEEP_EVERY = timedelta(hours=1)


async def sweep(tx: Transaction, settings: Settings) -> None:
    """Drop some of what is past its retention, and set the timer ``sweep`` again: soon if there is more."""
    replayed = tx.now - timedelta(days=settings.outbox_retention_days)
    remembered = tx.now - timedelta(days=settings.inbox_retention_days)
    tags = [
        await tx.connection.execute(SQL["sweep_outbox"], replayed),
        await tx.connection.execute(SQL["sweep_inbox"], remembered),
        await tx.connection.execute(SQL["sweep_parked"], remembered),
    ]
    more = any(not tag.endswith(" 0") for tag in tags)
    await tx.remind("sweep", "", tx.now + (timedelta(seconds=1) if more else SWEEP_EVERY))
