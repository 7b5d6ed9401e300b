"""A small world in the database: one domain, two users with numbers, trunks with ports."""

from dataclasses import dataclass

from sqlalchemy import update

from netfax.db import UnitOfWork, now, unit_of_work
from netfax.faxes.dial import claim_attempts
from netfax.faxes.dispatch import Dispatcher
from netfax.faxes.finish import finish_attempt
from netfax.faxes.history import change_state, record
from netfax.faxes.models import Attempt, Delivery, Direction, Document, MailboxItem, Submission
from netfax.faxes.results import CallOutcome
from netfax.faxes.states import DeliveryState
from netfax.lines.models import Trunk, TrunkKind
from netfax.lines.service import add_trunk
from netfax.org.models import OwnedNumber, Role, User
from netfax.org.service import add_domain, add_range, system_tenant
from netfax.org.viewer import Viewer
from netfax.storage.models import Blob

# Hashing costs 0.1 s; nobody signs in here.
NO_PASSWORD = "-"
PAGE_BYTES = 20_000


@dataclass(frozen=True)
class World:
    """Ids of what `make_world` made."""

    tenant_id: int
    alice: Viewer
    bob: Viewer
    admin: Viewer
    trunk_id: int


def make_world(*, channels: int = 2) -> World:
    """A domain `demo` with alice (administrator, operator of 0736-7804000…7804099) and bob, and the trunk `pstn`."""
    with unit_of_work() as uow:
        system = system_tenant(uow)
        domain = add_domain(uow, "demo", "Demo")
        admin = make_user(uow, system.id, "admin", Role.SYSTEM_ADMIN)
        alice = make_user(uow, domain.id, "alice", Role.DOMAIN_ADMIN, "867367804001")
        bob = make_user(uow, domain.id, "bob", Role.USER, "867367804002")
        add_range(uow, domain, "867367804000", "867367804099", alice)
        trunk = add_trunk(uow, make_trunk("pstn"), channels=channels)
        return World(domain.id, Viewer.of(alice), Viewer.of(bob), Viewer.of(admin), trunk.id)


def make_user(uow: UnitOfWork, tenant_id: int, name: str, role: Role, number: str = "") -> User:
    user = User(tenant_id=tenant_id, name=name, role=role, password_hash=NO_PASSWORD, language="en")
    uow.session.add(user)
    uow.session.flush()
    if number:
        uow.session.add(OwnedNumber(identity=number, user_id=user.id))
    uow.session.flush()
    uow.session.refresh(user)
    return user


def make_trunk(name: str, **facts: object) -> Trunk:
    values: dict[str, object] = {"gateway": "gw1", "kind": TrunkKind.SIP, "host": "127.0.0.2", "port": 5060}
    return Trunk(name=name, **(values | facts))


def make_delivery(
    viewer: Viewer,
    identity: str = "867367721001",
    *,
    pages: int = 1,
    state: DeliveryState = DeliveryState.QUEUED,
    **facts: object,
) -> str:
    """A delivery that is converted and queued (or in another state), with these other values; its public id."""
    with unit_of_work() as uow:
        blob = Blob(tenant_id=viewer.tenant_id, media_type="image/tiff", size=1, sha256="0" * 64)
        submission = Submission(
            tenant_id=viewer.tenant_id,
            user_id=viewer.user_id,
            draw_turn=0 if state is DeliveryState.CONVERTING else None,
        )
        uow.session.add_all([blob, submission])
        uow.session.flush()
        if state is not DeliveryState.CONVERTING:
            uow.session.add(
                Document(submission_id=submission.id, blob_id=blob.id, pages=pages, page_bytes=[PAGE_BYTES] * pages)
            )
        delivery = Delivery(
            submission_id=submission.id,
            tenant_id=viewer.tenant_id,
            user_id=viewer.user_id,
            identity=identity,
            pages=pages,
            **({"number_text": identity, "next_try_at": now()} | facts),
        )
        uow.session.add(delivery)
        uow.session.flush()
        record(uow, delivery, None, actor=viewer.login)
        if state is not DeliveryState.CONVERTING:
            change_state(uow, delivery, state, actor="test")
        uow.session.add(
            MailboxItem(
                tenant_id=viewer.tenant_id,
                user_id=viewer.user_id,
                direction=Direction.OUT,
                delivery_id=delivery.id,
            )
        )
        return delivery.uuid


def dispatch_now(holder: str = "test") -> int:
    with unit_of_work() as uow:
        return Dispatcher(holder).round(uow).calls


def only_attempt() -> str:
    """The id of the one open attempt."""
    with unit_of_work() as uow:
        return uow.session.query(Attempt.id).filter(Attempt.ended_at.is_(None)).one()[0]


def call_ends(outcome: CallOutcome) -> None:
    """Let the one open call be placed and end so."""
    attempt_id = only_attempt()
    with unit_of_work() as uow:
        claim_attempts(uow, [attempt_id], "boot")
    with unit_of_work() as uow:
        finish_attempt(uow, attempt_id, outcome, actor="test")


def make_due(uuid: str) -> None:
    """Let a waiting delivery's time have come."""
    with unit_of_work() as uow:
        uow.session.execute(
            update(Delivery)
            .where(Delivery.uuid == uuid, Delivery.next_try_at > now())
            .values(next_try_at=now(), admitted=False)
        )


def item_of(uuid: str) -> str:
    """The public id of a delivery's mailbox item."""
    with unit_of_work() as uow:
        item = uow.session.query(MailboxItem.uuid).join(Delivery, Delivery.id == MailboxItem.delivery_id)
        return item.filter(Delivery.uuid == uuid).one()[0]


def delivery_of(uuid: str) -> Delivery:
    with unit_of_work() as uow:
        delivery = uow.session.query(Delivery).filter(Delivery.uuid == uuid).one()
        _ = delivery.attempts
        return delivery
