"""Failures that a user or an operator can cause; each one's message is one clear sentence."""

import asyncpg
from aiokafka.errors import KafkaError


class UsageError(Exception):
    """Something was used or set wrongly; the command line prints the message and exits with 2."""


class OperationError(Exception):
    """Something was asked for rightly and did not work; the command line exits with 1."""


OUTAGES: tuple[type[BaseException], ...] = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that broke in the middle of an answer
    asyncpg.InsufficientResourcesError,  # too many connections, disk full, out of memory
    asyncpg.OperatorInterventionError,  # shutting down, starting up
    asyncpg.TransactionRollbackError,  # deadlock or serialization failure
    asyncpg.ReadOnlySQLTransactionError,  # a standby after a failover
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,  # this process was held up
    asyncpg.PostgresSystemError,  # the server's disk or files fail
    KafkaError,
    OSError,  # ConnectionError and TimeoutError are among them
)
"""What fails without the message's fault: waited out, never parked. Ask `is_outage`."""


def is_outage(error: BaseException) -> bool:
    """Whether a server failed, and not the message or our code.

    Some classes are both: asyncpg's error about a wrong argument is an InterfaceError and a
    ValueError, a missing template is an OSError and a LookupError; these are faults of ours.
    """
    return isinstance(error, OUTAGES) and not isinstance(error, (ValueError, LookupError))
