"""`python -m components.status`: how the cluster of a stack is now. Exit code 1 when unhealthy.

With `--first-key`: the commands that put and get one, instead.
Asks the live cluster, where the stack's outputs say how it was when the last sequence ended.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from components.change import strangers
from components.change.plan import Goal
from components.change.proof import Receipt, receipt_of, table
from components.etcd import corruption
from components.etcd.cluster import Cluster, NoUserError
from components.etcd.hashes import Hashing
from components.etcd.lock import AnotherClusterError, Lock, require
from components.kube.client import Kube
from components.kube.errors import ExecError, plain_errors
from components.kube.pods import outdated, ready, ready_first, running
from components.kube.troubles import crowded, more_memory
from components.outputs import newest
from components.progress import SequenceError, Unmet
from components.site import Site
from containers.etcd.supervisor.birth_mark import BIRTH_KEY
from containers.etcd.supervisor.membership import View, describe

STACK = "pulumi:pulumi:Stack"
HANDOVER = "pulumi-python:dynamic/etcd:Handover"
PROVING = (HANDOVER, "pulumi-python:dynamic/etcd:Scale", "pulumi-python:dynamic/etcd:Rollout")
"""Those whose proof says how far the cluster was, in the order of one `up`."""


def main() -> int:
    """Print the members and what is wrong; return the exit code."""
    parser = argparse.ArgumentParser(prog="make status", description=__doc__)
    parser.add_argument("--stack", required=True, help="the Pulumi stack")
    parser.add_argument(
        "--first-key", action="store_true", help="print how to put and get a first key, instead"
    )
    arguments = parser.parse_args()
    try:
        recorded = _recorded(arguments.stack)
        site = Site.of(recorded)
        if arguments.first_key:
            _print_first_key(recorded["connect"] or site.connect())
            return 0
        return _asked(recorded, site)
    except SequenceError as error:
        print(error, file=sys.stderr)
        return 1


def _asked(recorded: Mapping[str, Any], site: Site) -> int:
    """The exit code, by the live cluster. Raises SequenceError where that cannot be asked."""
    try:
        with plain_errors(site):
            return _report(Kube(recorded["kubeconfig"], site, patient=False), recorded)
    except NoUserError:
        raise  # it has answered
    except SequenceError:
        # One of this name on this machine may lead to another cluster.
        note = "Note: asked by the kubeconfig that the last `pulumi up` noted, not by one's own"
        print(f"{note} (docs/runbook.md: whose kubeconfig)", file=sys.stderr)
        raise


def _print_first_key(connect: str) -> None:
    """By the context that the stack names, whichever is the current one."""
    for command in ("put greeting hello", "get greeting"):
        print(f"  {connect} {command}")


def _recorded(stack: str) -> dict[str, Any]:
    """The handover's properties in the stack's state: where the cluster is, and which one.

    With `floor`: the revision that the last sequence has left; `connect`: the stack's output, which
    names the kubeconfig that the settings name, unless no `up` has come to its end.
    """
    found = {resource["type"]: resource for resource in _resources(stack)}
    if HANDOVER not in found:
        raise SequenceError(
            f"stack {stack} has no cluster, or not a balanced one", f"make up STACK={stack}"
        )
    inputs = found[HANDOVER]["inputs"]
    proof = newest([found[kind]["outputs"].get("proof") for kind in PROVING if kind in found])
    return {
        **inputs,
        "kubeconfig": _plain(inputs["kubeconfig"]),
        "floor": int(proof.get("revision") or 0),
        "connect": (found.get(STACK, {}).get("outputs") or {}).get("connect"),
    }


def _resources(stack: str) -> list[Any]:
    """What the stack's state has. Raises SequenceError, in Pulumi's own words, where it gives none:
    for want of a passphrase or a login, too, which says nothing of a cluster."""
    command = ["pulumi", "stack", "export", "--show-secrets", "--stack", stack]
    # Nobody would see a question, since what it prints is kept.
    command += ["--non-interactive", "--color=never"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return json.loads(done.stdout)["deployment"].get("resources") or []
    said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
    unmade = "no stack named" in said
    raise SequenceError(
        f"Pulumi does not give the state of stack {stack}: {said}",
        f"make up STACK={stack}" if unmade else f"make status STACK={stack}, once that is mended",
    )


def _plain(value: Any) -> str:
    """The text of a secret, which `--show-secrets` exports as JSON in a wrapper."""
    return json.loads(value["plaintext"]) if isinstance(value, dict) else str(value)


def _report(kube: Kube, recorded: Mapping[str, Any]) -> int:
    site = kube.site
    found = kube.pods(site.units)
    pods = [p.metadata.name for p in ready_first(filter(running, found))]
    remedies = [next_step for p in found if not ready(p) and (next_step := more_memory(p, "units"))]
    next_step = next(iter(remedies), site.kubectl("get", "pods"))
    cluster = Cluster(kube, pods)
    view = cluster.view()
    answering = set[str]() if isinstance(view, Unmet) else view.answering
    troubles = kube.troubles(found, {p.metadata.name for p in found} - answering)
    if isinstance(view, Unmet):
        running_pods = f"unit pods that run: {', '.join(pods) or 'none'}"
        print("UNHEALTHY: " + "; ".join([view.reason, running_pods, *troubles]))
        print(f"Next: {next_step}")
        return 1
    for row in [dict.fromkeys(("name", "role", "id", "version"), ""), *table(view)]:
        cells = [row[k] or k.upper() for k in ("name", "role", "id", "version")]
        print("{:<24}{:<10}{:<18}{}".format(*cells))
    crowds = crowded(found, view.quorum)
    if crowds and kube.has_many_nodes():
        print("\n".join(f"Note: {crowd} (docs/runbook.md: a node dies)" for crowd in crowds))
    if old := outdated(found, kube.newest_revision(site.units)):
        print(
            f"Note: not on the newest template: {', '.join(old)} (docs/runbook.md: an old template)"
        )
    problems = [*_problems(view, site, int(recorded["units"])), *troubles]
    wrong = _wrong(cluster, view, site, recorded)
    if wrong:
        problems, next_step = [wrong.problem, *problems], wrong.next_step
    if not problems:
        receipt = receipt_of(Hashing(cluster), view)
        print(_compared(receipt))
        for text in receipt["leftOut"]:
            print(f"Note: {text} (docs/runbook.md: a hash is missing)")
        problems = [*receipt["differences"], *receipt["missing"]]
    if not problems:
        print("healthy")
        return 0
    print("UNHEALTHY: " + "; ".join(problems))
    print(f"Next: {next_step}")
    return 1


def _wrong(
    cluster: Cluster, view: View, site: Site, recorded: Mapping[str, Any]
) -> SequenceError | None:
    """What ends every sequence: it is not the recorded cluster (formed anew, or rolled back), holds
    itself for corrupt, or has a member that is neither a seed nor a unit. None if nothing does."""
    try:
        birth = cluster.get(BIRTH_KEY)
    except ExecError:
        birth = None  # no quorum, which is told anyway; ID and revision are compared all the same
    known = Lock(str(recorded["cluster_id"]), str(recorded["birth"]), int(recorded["floor"]))
    try:
        require(known, view, site, birth)
        corruption.require_none(view)
        strangers.require_none(Goal(site.seeds, site.units, int(recorded["units"])), view, site)
    except (AnotherClusterError, corruption.CorruptError, strangers.StrangerError) as error:
        return error
    return None


def _compared(receipt: Receipt) -> str:
    """Which revision, and whose hash is the same there."""
    line = f"cluster {receipt['clusterId']}, revision {receipt['revision']}"
    if receipt["hash"] is None:
        return line
    who = "all members" if receipt["consistent"] else ", ".join(receipt["members"])
    return f"{line}, hash {receipt['hash']} on {who}"


def _problems(view: View, site: Site, units: int) -> list[str]:
    wanted = {f"{site.units}-{i}" for i in range(units)}
    voters = {m.pod for m in view.voters}
    silent = [m for m in view.members if m.id not in view.statuses]
    found = {
        "no leader": view.leader is None,
        f"no answer from {describe(silent)}": bool(silent),
        f"not voters: {', '.join(sorted(wanted - voters))}": bool(wanted - voters),
        f"voters that are no units: {', '.join(sorted(voters - wanted))}": bool(voters - wanted),
        f"learners: {describe(view.learners)}": bool(view.learners),
    }
    # An alarm is the cluster's, and each member tells it.
    errors = dict.fromkeys(f"{e}" for s in view.statuses.values() for e in s.errors)
    return [*(what for what, holds in found.items() if holds), *errors]


if __name__ == "__main__":
    sys.exit(main())
