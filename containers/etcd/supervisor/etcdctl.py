"""etcdctl, the one client of etcd in the pod."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterable
from urllib.parse import urlsplit

from .asking import ask_all
from .birth_mark import BIRTH_KEY, transaction
from .membership import Member, Status, View, parse_members, parse_statuses

DIAL_SECONDS = 0.5

NO_USER = "user name is empty"
"""What etcd says, while its authentication is on, to whoever does not name a user (`ErrUserEmpty`
in server/auth/store.go): to every question about the membership, too, and nothing here has one."""


class EtcdctlError(Exception):
    """etcdctl failed; the text is its last line, without the decoration of its logger."""


def etcdctl(
    endpoints: Iterable[str], *arguments: str, seconds: float = 2.0, stdin: str = ""
) -> str:
    """Run etcdctl and return what it prints.

    `seconds`: for the connection and for the command, each. `stdin`: what it reads.
    Raises EtcdctlError, at the latest after four times that and 2 s more.
    """
    command = [
        "etcdctl",
        f"--endpoints={','.join(endpoints)}",
        f"--dial-timeout={seconds}s",
        f"--command-timeout={seconds}s",
        *arguments,
    ]
    try:
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",  # a client may have put anything in the place of the birth mark
            timeout=seconds * 4 + 2,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise EtcdctlError(f"no answer within {error.timeout:.0f} s") from None
    except OSError as error:  # no process or no memory for one: no reason to end etcd, too
        raise EtcdctlError(f"etcdctl cannot be started: {error}") from None
    if done.returncode != 0 and not done.stdout.strip():
        lines = [line for line in done.stderr.strip().splitlines() if not line.startswith("{")]
        raise EtcdctlError(lines[-1].removeprefix("Error: ") if lines else "no reason given")
    return done.stdout


def answers(url: str) -> bool:
    """Whether something accepts a connection there: a far cheaper question than etcdctl's."""
    parts = urlsplit(url)
    address = parts.hostname, parts.port

    def dial() -> bool:
        with socket.create_connection(address, timeout=DIAL_SECONDS):
            return True

    return url in ask_all({url: dial})


def read_view(url: str) -> View | None:
    """Read list and statuses, asking the cluster behind `url`; None when it does not answer."""
    if not answers(url):
        return None
    try:
        cluster_id, members = parse_members(etcdctl([url], "member", "list", "-w", "json"))
        started = [m.client_url for m in members if m.client_url is not None]
        text = etcdctl(started, "endpoint", "status", "-w", "json", seconds=1.0) if started else ""
        return View(cluster_id, members, parse_statuses(text))
    except (EtcdctlError, ValueError):
        return None


def read_status(url: str) -> Status | None:
    """What the member behind `url` says of itself, without asking another; None if nothing."""
    try:
        found = parse_statuses(etcdctl([url], "endpoint", "status", "-w", "json", seconds=1.0))
    except (EtcdctlError, ValueError):
        return None
    return next(iter(found.values()), None)


def wants_a_user(url: str) -> bool:
    """Whether the etcd behind `url` tells nothing because its authentication is on."""
    if not answers(url):
        return False
    try:
        etcdctl([url], "member", "list", seconds=1.0)
    except EtcdctlError as error:
        return NO_USER in str(error)
    return False


def read_birth(url: str) -> str | None:
    """The cluster's birth mark, empty if it has none; None when it does not answer."""
    try:
        return etcdctl([url], "get", "--print-value-only", BIRTH_KEY).strip()
    except EtcdctlError:
        return None


def write_birth(url: str, mark: str) -> None:
    """Write the birth mark if there is none: whatever stands there stays. Raises EtcdctlError."""
    etcdctl([url], "txn", stdin=transaction(mark))


def add_learner(url: str, name: str, peer_url: str) -> tuple[Member, ...]:
    """Add a learner. Returns the members with the new one among them.

    Raises EtcdctlError, ValueError for an answer without it.
    """
    text = etcdctl(
        [url], "member", "add", name, f"--peer-urls={peer_url}", "--learner", "-w", "json"
    )
    members = parse_members(text)[1]
    if all(m.peer_url != peer_url for m in members):
        raise ValueError(f"{peer_url} is not among those of the answer: {text[:200]!r}")
    return members


def remove(urls: Iterable[str], member: Member) -> None:
    etcdctl(urls, "member", "remove", member.hex_id)


def promote(url: str, member: Member) -> None:
    etcdctl([url], "member", "promote", member.hex_id)


def move_leader(leader_url: str, target: Member) -> None:
    """Hand leadership over; etcd wants this asked of the leader."""
    etcdctl([leader_url], "move-leader", target.hex_id)
