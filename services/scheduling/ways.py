"""How long the ways between the Centre's places take."""

from services.scheduling.catalogue import QUARTER
from services.scheduling.centre import Centre
from services.scheduling.domain import BUFFER_MINUTES
from services.scheduling.grid import quarters

BUFFER = quarters(BUFFER_MINUTES)


class Ways:
    """The premises of a Centre and the ways between them, in quarters of an hour."""

    def __init__(self, centre: Centre) -> None:
        self._premises = {venue.code: venue.premises for venue in centre.venues}
        self._travel = {frozenset(one.between): -(-one.minutes // QUARTER) for one in centre.travel}

    def premises(self, venue: str) -> str:
        """Where a venue is; nowhere known when it has left the master data."""
        return self._premises.get(venue, "")

    def travel(self, here: str, there: str) -> int:
        """From one premises to others, and from one venue to another on the same: at least the buffer."""
        return max(BUFFER, self._travel.get(frozenset((here, there)), 0))

    def between(self, venue: str, other: str) -> int:
        """From one venue to another: none within one."""
        return 0 if venue == other else self.travel(self.premises(venue), self.premises(other))
