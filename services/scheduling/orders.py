"""What officers order: block and lift, pin and unpin, move, plan anew. Each is accounted for."""

from uuid import UUID

from runtime.transaction import Transaction
from schemas.eventlog import OperatorActed, OperatorPeople
from schemas.terms import Bilingual
from services.scheduling import blocking, store
from services.scheduling.centre import Centre
from services.scheduling.disruptions import Block
from services.scheduling.planning import PLAN, Office, Task
from services.scheduling.problem import CENTRE_RESOURCE, Infeasible, Wish, person_resource, venue_resource
from services.scheduling.review import REVIEW
from services.scheduling.store import Visit
from services.scheduling.waiting import give_back


class NotFound(Exception):
    """There is no such visit, block, slot, person or venue."""


class Stale(Exception):
    """The programme is not the one that the officer saw, or is just being changed."""


class Unfit(Exception):
    """What is ordered makes no sense as it is."""


class Impossible(Exception):
    """No programme is possible with what is wished; ``reasons`` say why, and nothing was changed."""

    def __init__(self, reasons: tuple[Bilingual, ...]) -> None:
        super().__init__(" ".join(reason.en for reason in reasons))
        self.reasons = reasons


async def add_block(tx: Transaction, centre: Centre, block: Block) -> tuple[str, ...]:
    """Take a person, a venue or the Centre out of use; programmes that this hits are planned anew.

    Returns the references of their visits. Raises `NotFound` for a resource that the Centre does not
    have, and `Unfit` for a span that is over or has no length.
    """
    _check_resource(centre, block.resource)
    if not tx.now < block.span.end > block.span.start:
        raise Unfit("the block ends before it begins, or is over already")
    await store.lock_bookings(tx.connection)  # who books from now on sees the block
    await blocking.keep_block(tx.connection, block, tx.now)
    await tx.remind(REVIEW, "", tx.now)
    _account(tx, "schedule block", block.resource, block.added_by, block.reason)
    return await blocking.hit_by(tx.connection, block)


async def lift_block(tx: Transaction, id: UUID, officer: str) -> Block:
    """Have a resource in use again; the waiting list is tried. Raises `NotFound`."""
    block = await blocking.drop_block(tx.connection, id)
    if block is None:
        raise NotFound(f"there is no block {id}: see `wafd schedule blocks`")
    give_back(tx)
    _account(tx, "schedule unblock", block.resource, officer, block.reason)
    return block


async def pin(tx: Transaction, id: UUID, release: int, keys: frozenset[str], officer: str) -> frozenset[str]:
    """Keep slots as they are from now on; returns the keys of all that are pinned.

    Raises `NotFound` or `Stale`.
    """
    visit = await _locked(tx, id, release, keys)
    return await _set_pinned(tx, visit, visit.pinned | keys, officer)


async def unpin(
    tx: Transaction, id: UUID, release: int, keys: frozenset[str], officer: str
) -> frozenset[str]:
    """Let slots be changed again when the programme is planned anew; otherwise as `pin`."""
    visit = await _locked(tx, id, release, keys)
    return await _set_pinned(tx, visit, visit.pinned - keys, officer)


async def _set_pinned(tx: Transaction, visit: Visit, pinned: frozenset[str], officer: str) -> frozenset[str]:
    await store.set_pinned(tx.connection, visit.id, pinned, tx.now)
    _account(tx, "schedule pin", visit.reference, officer, f"pinned: {', '.join(sorted(pinned)) or 'none'}")
    return pinned


async def move(office: Office, tx: Transaction, id: UUID, release: int, wish: Wish, officer: str) -> Visit:
    """Move a slot and change as little else as possible; from then on it is pinned.

    Returns the visit with its new programme. Raises `NotFound`, `Stale`, `Unfit`, `Impossible` with the
    reasons, or `Contested` when others kept booking; nothing is changed then.
    """
    _check_wish(office.centre, wish, tx)

    def concerns(visit: Visit) -> bool:
        _check_release(visit, release)
        _check_slot(visit, wish, tx)
        return True

    if await store.read_visit(tx.connection, id) is None:
        raise NotFound(f"there is no visit {id}")
    task = Task(concerns, _refuse, f"{wish.key} was moved by an officer", (wish,))
    await office.settle(tx, id, task)
    moved = await store.read_visit(tx.connection, id)
    assert moved is not None  # noqa: S101 -- it is locked
    _account(tx, "schedule move", moved.reference, officer, _words(wish))
    return moved


async def replan(tx: Transaction, id: UUID, reason: str, officer: str) -> Visit:
    """Have a held programme planned anew with least change, or a waiting visit tried out of its turn.

    Raises `NotFound`, `Stale` while an amendment is decided, or `Unfit` when the visit holds no
    programme and does not wait for one.
    """
    visit = await store.lock_visit(tx.connection, id)
    if visit is None:
        raise NotFound(f"there is no visit {id}")
    if visit.revision != visit.latest_revision:
        raise Stale(f"an amendment of {visit.reference} waits for approval: it is planned anew after that")
    if visit.slots:
        await store.want_replan(tx.connection, id, reason, tx.now)
    elif visit.waits:
        await store.want_again(tx.connection, id, tx.now)
    elif not visit.is_to_be_planned:
        raise Unfit(f"the visit {visit.reference} is {visit.state}: there is nothing to plan")
    await tx.remind(PLAN, str(id), tx.now)
    _account(tx, "schedule replan", visit.reference, officer, reason)
    return visit


async def _refuse(_tx: Transaction, _visit: Visit, outcome: Infeasible, _known: int) -> None:
    raise Impossible(outcome.reasons)


async def _locked(tx: Transaction, id: UUID, release: int, keys: frozenset[str]) -> Visit:
    visit = await store.lock_visit(tx.connection, id)
    if visit is None:
        raise NotFound(f"there is no visit {id}")
    _check_release(visit, release)
    if unknown := keys - {slot.key for slot in visit.slots}:
        raise NotFound(f"the programme of {visit.reference} has no slot {', '.join(sorted(unknown))}")
    return visit


def _check_release(visit: Visit, release: int) -> None:
    if not visit.slots:
        raise Stale(f"the visit {visit.reference} holds no programme")
    if visit.release != release:
        raise Stale(
            f"the programme of {visit.reference} is release {visit.release}, not {release}: look again"
        )
    if visit.state == "wanted" or visit.revision != visit.latest_revision:
        raise Stale(f"the programme of {visit.reference} is being changed: wait for its next release")


def _check_slot(visit: Visit, wish: Wish, tx: Transaction) -> None:
    slot = next((slot for slot in visit.slots if slot.key == wish.key), None)
    if slot is None:
        raise NotFound(f"the programme of {visit.reference} has no slot {wish.key}")
    if slot.starts <= tx.now:
        raise Unfit(f"{wish.key} has begun: it stays as it is")
    if wish.instead_of and wish.instead_of not in {one.person for one in slot.assignments}:
        raise NotFound(f"{wish.instead_of} has no part in {wish.key}")


def _check_wish(centre: Centre, wish: Wish, tx: Transaction) -> None:
    if not (wish.starts or wish.venue or wish.person):
        raise Unfit("say what shall change: the start, the venue or a person")
    if wish.starts and wish.starts <= tx.now:
        raise Unfit("a slot cannot be moved into the past")
    if wish.instead_of and not wish.person:
        raise Unfit(f"say who shall come instead of {wish.instead_of}")
    if wish.venue:
        _check_resource(centre, venue_resource(wish.venue))
    if wish.person:
        _check_resource(centre, person_resource(wish.person))


def _check_resource(centre: Centre, resource: str) -> None:
    known = {CENTRE_RESOURCE, *(person_resource(one.code) for one in centre.people)}
    if resource not in known | {venue_resource(one.code) for one in centre.venues}:
        raise NotFound(f"the Centre has no {resource}: it is person:CODE, venue:CODE or centre")


def _words(wish: Wish) -> str:
    to = {"start": wish.starts, "venue": wish.venue, "person": wish.person, "instead of": wish.instead_of}
    return f"{wish.key}: " + ", ".join(f"{name} {what}" for name, what in to.items() if what)


def _account(tx: Transaction, action: str, target: str, officer: str, reason: str) -> None:
    people = OperatorPeople(operator=officer, reason=reason)
    # The key of every action of operators, so that none is held behind a visit's events.
    tx.emit(OperatorActed(action=action, target=target, people=people), subject="operators")
