"""How long the ways between the Centre's places take."""

from services.scheduling.catalogue import QUARTER
from services.scheduling.centre import Centre
from services.scheduling.domain import BUFFER_MINUTES
from services.scheduling.grid import quarters


def way(centre: Centre, one: str, other: str) -> int:
    """Quarters of an hour from one venue to another: none within one, else at least the buffer."""
    if one == other:
        return 0
    here, there = premises(centre, one), premises(centre, other)
    return quarters(BUFFER_MINUTES) if here == there else travel(centre, here, there)


def travel(centre: Centre, here: str, there: str) -> int:
    """Quarters of an hour from one premises to others, at least the buffer."""
    minutes = next((one.minutes for one in centre.travel if {*one.between} == {here, there}), 0)
    return max(quarters(BUFFER_MINUTES), -(-minutes // QUARTER))


def premises(centre: Centre, venue: str) -> str:
    """Where a venue is."""
    found = centre.venue(venue)
    return found.premises if found else ""
