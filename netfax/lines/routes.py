"""Which trunks may carry a call, best first: pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from netfax.lines.models import TrunkKind


@dataclass(frozen=True)
class TrunkFacts:
    """What the choice needs to know of a trunk."""

    id: int
    name: str
    gateway: str
    kind: TrunkKind
    t38: bool
    number: str
    prefix: str
    position: int
    max_out: int | None = None
    # A call failed by the trunk itself a short while ago.
    troubled: bool = False
    # It has a port that is in use, and its gateway's bridge answers.
    ready: bool = True


def routes(identity: str, trunks: Iterable[TrunkFacts]) -> list[TrunkFacts]:
    """The trunks that may carry a call to the identity, best first.

    A soft modem serves its own number alone and comes first for it; among the others the longest prefix wins,
    then the lower position. One that takes no calls out serves none. A troubled trunk comes after all that are not.
    """
    able = [
        trunk
        for trunk in trunks
        if trunk.max_out != 0 and (trunk.number == identity if trunk.number else identity.startswith(trunk.prefix))
    ]
    return sorted(
        able, key=lambda trunk: (trunk.troubled, not trunk.number, -len(trunk.prefix), trunk.position, trunk.id)
    )
