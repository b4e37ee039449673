"""What must hold in every life, whatever breaks; and the diary of one life."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from enum import Enum


class Promise(Enum):
    """What the rules promise of the membership, the leader and the data."""

    WRITES = "an acknowledged write is never lost"
    BIRTH = "a unit never starts etcd without data, unless it was added"
    SETTLED = (
        "members change only while every voter is well, or a quorum beside a dead one that goes"
    )
    CAUGHT_UP = "a learner votes only once it has caught up"
    PLANNED = "a member goes only as a seed, as a unit that is not wanted, or with its lost disk"
    ASIDE = "a member's data is set aside only when its ID was removed"
    JOINING = "nobody joins who is not known to be wanted"
    NEW_ID = "an ID that has run never starts on an empty disk"
    TAKEN_OVER = "a living seed goes only while units >= seeds, and all that are wanted, are well"
    UNSERVED = "a living seed goes only when clients are led to none"
    SEEDS_END = "seeds' pods and data go only when no seed is a member"
    LEADER = "a leader is neither removed nor stopped before leadership has been moved"
    ROLLING = (
        "a unit that votes is restarted only while every voter is well, or a quorum beside it when "
        "it is dead, or while nobody is served"
    )
    REST = "when nothing breaks any more, exactly the wanted units vote, on the newest template"
    ALONE = "without any `up`, the units that Kubernetes wants come to vote, and no other stays"
    SECOND_UP = "a second `up` changes nothing"


class BrokenPromiseError(AssertionError):
    """One life has shown that the rules do not keep a promise."""

    def __init__(self, promise: Promise, text: str) -> None:
        super().__init__(text)
        self.promise = promise


@dataclass
class Diary:
    """What has happened in a life, and how often each promise was at stake."""

    life: int
    """Its number, by which the same life can be lived again."""
    only: Promise | None = None
    """Judge no other; None: judge all."""
    now: float = 0.0
    held: Counter[Promise] = field(default_factory=Counter[Promise])
    _events: deque[str] = field(default_factory=lambda: deque[str](maxlen=40))

    def say(self, text: str) -> None:
        self._events.append(f"{self.now:.0f} s  {text}")

    def hold(self, promise: Promise, kept: bool, what: str) -> None:
        """Raise BrokenPromiseError, with the last events, unless the promise was kept."""
        self.held[promise] += 1
        if not kept and self.only in (None, promise):
            again = f"python -m tests.simulation --first {self.life} --lives 1 --only-lives"
            text = f"broken: {promise.value}\nlife {self.life}, again by {again}: {what}"
            raise BrokenPromiseError(promise, "\n".join([text, *self._events]))
