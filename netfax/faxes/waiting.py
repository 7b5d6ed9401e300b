"""The dispatcher's waiting room: whose fax is next. In memory and pure; what waits is said by the database.

Priority first; then domains take turns, and within a domain its users; then who was due first. A fax that finds its
number on the line is parked with the others for that number, in queues of the same kind. A decision costs the same
however many wait: each step looks at the heads of queues alone, and what it passes over are users and domains at their
cap and numbers which have calls on the line or had one a moment ago.
"""

import heapq
from collections import Counter, deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

PRIORITIES = 3


class Waiting(NamedTuple):
    """A due delivery: priority 0 comes first; `route` are the ids of the trunks that may carry it, best first."""

    id: int
    identity: str
    priority: int
    tenant_id: int
    user_id: int
    route: tuple[int, ...]


@dataclass
class OnTheLine:
    """Who has calls out now: numbers, and how many of each user, domain and trunk."""

    numbers: set[str] = field(default_factory=set)
    users: Counter[int] = field(default_factory=Counter)
    tenants: Counter[int] = field(default_factory=Counter)
    trunks: Counter[int] = field(default_factory=Counter)

    def add(self, identity: str, tenant_id: int, user_id: int, trunk_id: int) -> None:
        self.numbers.add(identity)
        self.users[user_id] += 1
        self.tenants[tenant_id] += 1
        self.trunks[trunk_id] += 1


@dataclass(frozen=True)
class Caps:
    """How many calls at once a user and a domain may have; 0 for any number."""

    user: int = 0
    tenant: int = 0

    def closed_to_user(self, user_id: int, line: OnTheLine) -> bool:
        return bool(self.user) and line.users[user_id] >= self.user

    def closed_to_tenant(self, tenant_id: int, line: OnTheLine) -> bool:
        return bool(self.tenant) and line.tenants[tenant_id] >= self.tenant


class _Turns:
    """Whose turn it is: the lowest is next.

    Who was away or could not be called starts where the others are: nobody saves up turns, and nobody who was served
    in the meantime has to make up for it.
    """

    def __init__(self) -> None:
        self._turns: dict[int, int] = {}
        self._floor = 0

    def join(self, member: int) -> None:
        self._turns[member] = max(self._turns.get(member, 0), self._floor)

    def of(self, member: int) -> int:
        return self._turns[member]

    def serve(self, member: int) -> None:
        self._floor = max(self._floor, self._turns[member])
        self._turns[member] = self._floor + 1


class _Heap:
    """Members by their turn. A turn may have grown since (they are shared by queues), never shrunk."""

    def __init__(self, turns: _Turns) -> None:
        self._turns = turns
        self._heap: list[tuple[int, int]] = []
        self._members: set[int] = set()

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, member: int) -> None:
        if member not in self._members:
            self._members.add(member)
            heapq.heappush(self._heap, (self._turns.of(member), member))

    def pop(self) -> int | None:
        """Take out the member whose turn it is; None from an empty heap."""
        while self._heap:
            turn, member = self._heap[0]
            if turn == self._turns.of(member):
                heapq.heappop(self._heap)
                self._members.discard(member)
                return member
            heapq.heapreplace(self._heap, (self._turns.of(member), member))
        return None


class _Queue:
    """The waiting of one priority and one route, by domain and user."""

    def __init__(self, room: "WaitingRoom") -> None:
        self._room = room
        self._tenants = _Heap(room.tenant_turns)
        self._users: dict[int, _Heap] = {}
        self._entries: dict[int, deque[Waiting]] = {}

    def __len__(self) -> int:
        """How many domains have somebody in it."""
        return len(self._tenants)

    def add(self, entry: Waiting) -> None:
        self._entries.setdefault(entry.user_id, deque()).append(entry)
        if entry.tenant_id not in self._users:
            self._users[entry.tenant_id] = _Heap(self._room.user_turns(entry.tenant_id))
        self._users[entry.tenant_id].add(entry.user_id)
        self._tenants.add(entry.tenant_id)

    def head(self, line: OnTheLine, caps: Caps) -> Waiting | None:
        """Whose turn it is among those that may be called now; it stays in the queue."""
        passed_over: list[int] = []
        found: Waiting | None = None
        while found is None and (tenant_id := self._tenants.pop()) is not None:
            if caps.closed_to_tenant(tenant_id, line):
                passed_over.append(tenant_id)
                continue
            found, some_left = self._head_of_tenant(tenant_id, line, caps)
            if some_left:
                passed_over.append(tenant_id)
        for tenant_id in passed_over:
            self._tenants.add(tenant_id)
        return found

    def remove_head(self, entry: Waiting) -> None:
        self._entries[entry.user_id].popleft()

    def _head_of_tenant(self, tenant_id: int, line: OnTheLine, caps: Caps) -> tuple[Waiting | None, bool]:
        """The domain's next, and whether anything of it is left in the queue."""
        users, passed_over = self._users[tenant_id], []
        found: Waiting | None = None
        while found is None and (user_id := users.pop()) is not None:
            if caps.closed_to_user(user_id, line):
                passed_over.append(user_id)
                continue
            found = self._head_of_user(user_id, line)
            if found is not None:
                passed_over.append(user_id)
        for user_id in passed_over:
            users.add(user_id)
        return found, bool(len(users))

    def _head_of_user(self, user_id: int, line: OnTheLine) -> Waiting | None:
        """The user's next; what is no longer valid is dropped, and who waits for a number on the line is parked."""
        entries = self._entries[user_id]
        while entries:
            entry = entries[0]
            if not self._room.is_valid(entry):
                entries.popleft()
            elif entry.identity in line.numbers:
                entries.popleft()
                self._room.park(entry)
            else:
                return entry
        del self._entries[user_id]
        return None


class _Level:
    """The waiting of one priority: a queue for each route, and the same once more for each number that was found busy.

    Who is parked stays with his number until he is called.
    """

    def __init__(self, room: "WaitingRoom") -> None:
        self._room = room
        self._queues: dict[tuple[int, ...], _Queue] = {}
        self._parked: dict[str, dict[tuple[int, ...], _Queue]] = {}

    def add(self, entry: Waiting) -> None:
        self._put(self._queues, entry)

    def park(self, entry: Waiting) -> None:
        self._put(self._parked.setdefault(entry.identity, {}), entry)

    def queues(self, line: OnTheLine) -> Iterator[tuple[tuple[int, ...], _Queue]]:
        """The queues of those whose number may be free now, with their routes."""
        # Who is found busy in the first ones is parked: the numbers are looked at after that.
        yield from self._queues.items()
        for identity in [each for each in self._parked if each not in line.numbers]:
            queues = self._parked[identity]
            yield from queues.items()
            if not any(len(queue) for queue in queues.values()):
                del self._parked[identity]

    def _put(self, queues: dict[tuple[int, ...], _Queue], entry: Waiting) -> None:
        if entry.route not in queues:
            queues[entry.route] = _Queue(self._room)
        queues[entry.route].add(entry)


class WaitingRoom:
    """Everybody who is due."""

    def __init__(self) -> None:
        self.tenant_turns = _Turns()
        self._user_turns: dict[int, _Turns] = {}
        self._entries: dict[int, Waiting] = {}
        self._levels = [_Level(self) for _ in range(PRIORITIES)]

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: Waiting) -> None:
        """Let somebody in; an earlier entry of the same delivery counts no more."""
        self._entries[entry.id] = entry
        self.tenant_turns.join(entry.tenant_id)
        self.user_turns(entry.tenant_id).join(entry.user_id)
        self._levels[entry.priority].add(entry)

    def take(
        self,
        free: Mapping[int, int],
        line: OnTheLine,
        caps: Caps = Caps(),
        troubled: Collection[int] = (),
    ) -> tuple[Waiting, int] | None:
        """Take out who is next and the trunk for him; None when nobody can be called now.

        It is his sender's turn only once he is called, which `serve` tells: many have been held or cancelled meanwhile.
        `free` are the ports that a call out may take, by trunk; of a route the first trunk with one carries the call,
        those that are `troubled` last.
        """
        for level in self._levels:
            best: tuple[tuple[int, int, int], Waiting, int, _Queue] | None = None
            for route, queue in level.queues(line):
                trunk_id = _first_free(route, free, troubled)
                head = queue.head(line, caps) if trunk_id is not None else None
                if head is None or trunk_id is None:
                    continue
                rank = (self.tenant_turns.of(head.tenant_id), self.user_turns(head.tenant_id).of(head.user_id), head.id)
                if best is None or rank < best[0]:
                    best = (rank, head, trunk_id, queue)
            if best is not None:
                _, entry, trunk_id, queue = best
                queue.remove_head(entry)
                del self._entries[entry.id]
                return entry, trunk_id
        return None

    def serve(self, entry: Waiting) -> None:
        """Who was taken out is called: his domain and his user have had their turn."""
        self.tenant_turns.serve(entry.tenant_id)
        self.user_turns(entry.tenant_id).serve(entry.user_id)

    # --- What its queues use ---

    def user_turns(self, tenant_id: int) -> _Turns:
        return self._user_turns.setdefault(tenant_id, _Turns())

    def is_valid(self, entry: Waiting) -> bool:
        return self._entries.get(entry.id) is entry

    def park(self, entry: Waiting) -> None:
        """The number is on the line: wait with the others for it."""
        self._levels[entry.priority].park(entry)


def _first_free(route: tuple[int, ...], free: Mapping[int, int], troubled: Collection[int]) -> int | None:
    able = [trunk_id for trunk_id in route if free.get(trunk_id, 0) > 0]
    return next((trunk_id for trunk_id in able if trunk_id not in troubled), able[0] if able else None)
