"""The dispatcher's waiting room: whose fax is next. In memory and pure; what waits is said by the database.

Priority first; then domains take turns, and within a domain its users; then who was due first. A fax whose number is
being called is parked with the others for that number. A decision costs the same however many wait: each step looks at
the heads of queues alone, and what it passes over are users and domains at their cap, which have calls on the line.
"""

import heapq
from collections import Counter, deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import count
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
    """Whose turn it is: the lowest is next; who comes back after a pause starts where the others are."""

    def __init__(self) -> None:
        self._turns: dict[int, int] = {}
        self._floor = 0

    def join(self, member: int) -> None:
        self._turns[member] = max(self._turns.get(member, 0), self._floor)

    def of(self, member: int) -> int:
        return self._turns[member]

    def serve(self, member: int) -> None:
        self._floor = max(self._floor, self._turns[member])
        self._turns[member] += 1


class _Heap:
    """Members by their turn. A turn may have grown since (they are shared by queues), never shrunk."""

    def __init__(self, turns: _Turns) -> None:
        self._turns = turns
        self._heap: list[tuple[int, int]] = []
        self._members: set[int] = set()

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

    def add(self, entry: Waiting, *, first: bool = False) -> None:
        entries = self._entries.setdefault(entry.user_id, deque())
        if first:
            entries.appendleft(entry)
        else:
            entries.append(entry)
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
        return found, bool(passed_over)

    def _head_of_user(self, user_id: int, line: OnTheLine) -> Waiting | None:
        """The user's next; what is no longer valid is dropped, and who waits for a number on the line is parked."""
        entries = self._entries[user_id]
        while entries:
            entry = entries[0]
            if not self._room.is_valid(entry):
                entries.popleft()
                self._room.withdraw(entry)
            elif entry.identity in line.numbers:
                entries.popleft()
                self._room.park(entry)
            else:
                return entry
        return None


class WaitingRoom:
    """Everybody who is due."""

    def __init__(self) -> None:
        self.tenant_turns = _Turns()
        self._user_turns: dict[int, _Turns] = {}
        self._entries: dict[int, Waiting] = {}
        self._queues: list[dict[tuple[int, ...], _Queue]] = [{} for _ in range(PRIORITIES)]
        # By number: those that found it on the line, best first; of a free number one at a time is let back in.
        self._parked: dict[str, list[tuple[int, int, Waiting]]] = {}
        self._let_in: dict[str, int] = {}
        self._order = count()

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: Waiting) -> None:
        """Let somebody in; an earlier entry of the same delivery counts no more."""
        self._entries[entry.id] = entry
        self._enqueue(entry)

    def take(
        self,
        free: Mapping[int, int],
        line: OnTheLine,
        caps: Caps = Caps(),
        troubled: Collection[int] = (),
    ) -> tuple[Waiting, int] | None:
        """Take out who is next and the trunk for him; None when nobody can be called now.

        `free` are the ports that a call out may take, by trunk; of a route the first trunk with one carries the call,
        those that are `troubled` last.
        """
        self._let_parked_in(line)
        for queues in self._queues:
            best: tuple[tuple[int, int, int], Waiting, int, _Queue] | None = None
            for route, queue in queues.items():
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
                self._serve(entry)
                return entry, trunk_id
        return None

    # --- What its queues use ---

    def user_turns(self, tenant_id: int) -> _Turns:
        return self._user_turns.setdefault(tenant_id, _Turns())

    def is_valid(self, entry: Waiting) -> bool:
        return self._entries.get(entry.id) is entry

    def park(self, entry: Waiting) -> None:
        """The number is on the line: wait with the others for it."""
        self.withdraw(entry)
        heapq.heappush(self._parked.setdefault(entry.identity, []), (entry.priority, next(self._order), entry))

    def withdraw(self, entry: Waiting) -> None:
        """An entry has left its queue: if it was the one let in for its number, the next may be."""
        if self._let_in.get(entry.identity) == entry.id:
            del self._let_in[entry.identity]

    def _enqueue(self, entry: Waiting, *, first: bool = False) -> None:
        self.tenant_turns.join(entry.tenant_id)
        self.user_turns(entry.tenant_id).join(entry.user_id)
        queues = self._queues[entry.priority]
        if entry.route not in queues:
            queues[entry.route] = _Queue(self)
        queues[entry.route].add(entry, first=first)

    def _let_parked_in(self, line: OnTheLine) -> None:
        for identity in [each for each in self._parked if each not in line.numbers and each not in self._let_in]:
            parked = self._parked[identity]
            while parked:
                _, _, entry = heapq.heappop(parked)
                if self.is_valid(entry):
                    self._let_in[identity] = entry.id
                    self._enqueue(entry, first=True)
                    break
            if not parked:
                del self._parked[identity]

    def _serve(self, entry: Waiting) -> None:
        self.tenant_turns.serve(entry.tenant_id)
        self.user_turns(entry.tenant_id).serve(entry.user_id)
        self.withdraw(entry)
        del self._entries[entry.id]


def _first_free(route: tuple[int, ...], free: Mapping[int, int], troubled: Collection[int]) -> int | None:
    able = [trunk_id for trunk_id in route if free.get(trunk_id, 0) > 0]
    return next((trunk_id for trunk_id in able if trunk_id not in troubled), able[0] if able else None)
