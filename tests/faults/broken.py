"""Builds of the product that are broken on purpose, and the scenarios that must find them out.

Each is a copy of the program with pieces of text exchanged; the product itself has no switch for
it. A scenario that no broken build can turn red would be no scenario.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.faults.patching import Patch

_SUPERVISOR = "containers/etcd/supervisor"


@dataclass(frozen=True)
class Broken:
    """One broken build."""

    name: str
    why: str
    """What is wrong with it, in words."""
    patches: tuple[Patch, ...]
    red: tuple[str, ...]
    """Keys of the scenarios that must not be green with it."""
    rounds: int = 1
    """Of each of them. More where chance decides what is hit."""


BROKEN: tuple[Broken, ...] = (
    Broken(
        "every-end-is-a-removal",
        "an etcd that was killed is taken for one that was removed, and joins again as another",
        (
            Patch(f"{_SUPERVISOR}/unit.py", "if code == 0:", "if code is not None:"),
            Patch(
                f"{_SUPERVISOR}/rules.py",
                "    if may_go_on(disk, view, peer_url):\n",
                "    if not disk.ended and may_go_on(disk, view, peer_url):\n",
            ),
        ),
        red=("1",),
    ),
    Broken(
        "slow-elections",
        "followers wait 5 s for a leader that is silent, not 1 s",
        (
            Patch(
                f"{_SUPERVISOR}/flags.py",
                '        f"--log-level={config.log_level}",\n',
                '        f"--log-level={config.log_level}",\n'
                '        "--heartbeat-interval=500",\n'
                '        "--election-timeout=5000",\n',
            ),
        ),
        red=("1", "2", "6"),
    ),
    Broken(
        "leader-is-never-moved",
        "a leader that is told to stop is killed, so that its end costs an election",
        (
            Patch(
                f"{_SUPERVISOR}/stopping.py",
                "return _hand_over(view, mine, stateful_set) or Stop()",
                "return Stop()",
            ),
            Patch(
                f"{_SUPERVISOR}/process.py",
                "self._child.send_signal(signal.SIGTERM)",
                "self._child.send_signal(signal.SIGKILL)",
            ),
        ),
        red=("3",),
    ),
    Broken(
        "removed-at-every-stop",
        "a unit leaves the membership whenever it is told to stop, wanted or not",
        (
            Patch(
                f"{_SUPERVISOR}/stopping.py",
                "return _hand_over(view, mine, stateful_set) or Stop()",
                "return _hand_over(view, mine, stateful_set) or Leave(mine)",
            ),
        ),
        red=("3", "21"),
    ),
    Broken(
        "a-cut-handover-is-done",
        "a handover that was cut off after the last removal leaves the seeds' pods and the token",
        (
            Patch(
                "components/change/handover.py",
                "        teardown.end(kube, loop.cluster, progress)\n",
                '        if "seeds removed" in progress.phases:\n'
                "            teardown.end(kube, loop.cluster, progress)\n",
            ),
        ),
        red=("17a",),
    ),
    Broken(
        "a-seed-ends-before-its-removal",
        "the handover ends a seed's pod first, and removes the member when it is dead",
        (
            Patch(
                "components/change/handover.py",
                "        balance(loop)\n",
                "        kube.scale(site.seeds, 2)\n        balance(loop)\n",
            ),
        ),
        red=("17a",),
    ),
    Broken(
        "a-leading-seed-is-removed",
        "the handover removes the seed that leads like any other, without moving leadership",
        (
            Patch(
                "components/change/plan.py",
                "return _move(goal, view, seeds) or Remove(seeds[0])",
                "return Remove(seeds[0])",
            ),
        ),
        red=("16a",),
    ),
    Broken(
        "a-unit-ends-before-its-removal",
        "a scale-down ends a unit's pod while it is a member, and leaves the removal to itself",
        (
            Patch(
                "components/change/plan.py",
                "return _removal(goal, mine, workload, _move(goal, view, [mine]))",
                "return Resize(top)",
            ),
        ),
        red=("17b",),
    ),
    Broken(
        "one-attempt-beside-the-other",
        "a birth that was cut off is begun again while its seeds still run with the first token",
        (
            Patch(
                "components/birth/birth.py",
                "    if found is None and earlier:\n        progress.say(",
                "    if False:\n        progress.say(",
            ),
        ),
        red=("19a",),
        rounds=8,
    ),
    Broken(
        "a-removal-is-not-looked-for",
        "a scale-down that was cut off waits for a member that it has removed already",
        (
            Patch(
                "components/change/plan.py",
                "return Resize(top) if workload.leaving == top else Announce(top)",
                'return Wait("gone") if workload.leaving == top else Announce(top)',
            ),
        ),
        red=("13", "17b", "19b"),
    ),
    Broken(
        "rolls-without-waiting",
        "a rolling change takes the next pod without looking how the others are",
        (
            Patch(
                "components/change/restarts.py",
                "    if away:\n        return Wait(f\"not ready: {', '.join(away)}\")\n",
                "    there.update({n: Pod(n, current=True, ready=True) for n in away})\n",
            ),
            Patch(
                "components/change/restarts.py",
                "    if blocked:\n        return Wait(blocked)\n",
                "",
            ),
            # The budget would keep the second one from going.
            Patch(
                "components/change/restarts.py",
                "return Restart(followers[-1], guarded=True)",
                "return Restart(followers[-1])",
            ),
        ),
        red=("12",),
    ),
    Broken(
        "stays-when-it-is-scaled-away",
        "a unit that is scaled away by hand stops and stays in the list",
        (
            Patch(
                f"{_SUPERVISOR}/stopping.py",
                "    if wanted is not False:\n",
                "    if wanted is not None:\n",
            ),
        ),
        red=("13b",),
    ),
    Broken(
        "old-id-on-an-empty-disk",
        "a unit whose disk is lost starts under the ID that is listed for its address",
        (Patch(f"{_SUPERVISOR}/rules.py", "return Replace(mine)", "return Resume(mine)"),),
        red=("4",),
    ),
    Broken(
        "joins-as-a-voter",
        "a unit is added as a voter, which counts for the quorum before it has any data",
        (
            Patch(
                f"{_SUPERVISOR}/etcdctl.py",
                '"--learner", "-w", "json"',
                '"-w", "json"',
            ),
        ),
        red=("4", "13", "14"),
    ),
    Broken(
        "forgets-its-add",
        "a unit that was killed after it had been added waits instead of starting",
        (
            Patch(
                f"{_SUPERVISOR}/rules.py",
                "    if mine is None:\n        return Join()\n    if not mine.started",
                '    if mine is None:\n        globals()["adds"] = True\n        return Join()\n'
                "    if not mine.started",
            ),
            Patch(
                f"{_SUPERVISOR}/rules.py",
                "return Resume(mine)",
                'return Resume(mine) if globals().get("adds") else Wait("added already")',
            ),
            # Killed before it could note its ID.
            Patch(
                f"{_SUPERVISOR}/rules.py",
                "    return Replace(mine)",
                '    done = mine.started or globals().get("adds")\n'
                '    return Replace(mine) if done else Wait("added already")',
            ),
        ),
        red=("15",),
    ),
    Broken(
        "learners-are-ready",
        "readiness asks whether etcd lives, not whether it votes",
        (
            Patch(
                f"{_SUPERVISOR}/health.py",
                "if not (self._etcd_wanted and self.admitted):",
                "if not self._etcd_wanted:",
            ),
            Patch(
                f"{_SUPERVISOR}/health.py",
                'self._ask("/readyz"), time',
                'self._ask("/livez"), time',
            ),
        ),
        red=("27",),
    ),
    Broken(
        "one-learner-at-a-time",
        "etcd's own default of one learner: every unit waits for the one before it",
        (Patch(f"{_SUPERVISOR}/flags.py", "MAX_LEARNERS = 7", "MAX_LEARNERS = 1"),),
        red=("14",),
    ),
    Broken(
        "liveness-needs-quorum",
        "the kubelet ends members that are alone, by a probe that is as quick as its defaults",
        (
            # Once it has been ready: a unit on its way never is, and there would be no cluster.
            Patch(
                f"{_SUPERVISOR}/health.py",
                'if self._ask("/livez", 6):',
                'if self._ask("/readyz", 0.3):',
            ),
            Patch(f"{_SUPERVISOR}/health.py", "seconds: float = 7.5", "seconds: float = 0.3"),
            Patch(
                "components/workload.py",
                '_probe(etcd.health_port, "/livez", period=10, failures=6)',
                '_probe(etcd.health_port, "/livez", period=3, failures=3)',
            ),
        ),
        red=("6", "8"),
    ),
    Broken(
        "waits-for-old-connections",
        "a voter that reaches the leader again is left to its stalled connections",
        (Patch(f"{_SUPERVISOR}/unit.py", "if self._stays_apart():", "if False:"),),
        red=("6",),
    ),
    Broken(
        "no-health-check-before-a-removal",
        "the handover removes seeds as soon as the units vote, whether they are healthy or not",
        (
            Patch(
                "components/change/plan.py",
                "    blocked = unsettled(view, history, now)\n    if blocked:\n"
                "        return Wait(blocked)\n",
                "",
            ),
        ),
        red=("18",),
    ),
    Broken(
        "kept-data-is-not-looked-for",
        "a new cluster is formed beside the volumes of the old one",
        (
            Patch(
                "components/birth/birth.py",
                "retained = lock.on_volumes(kube)",
                "retained = None and lock.on_volumes(kube)",
            ),
        ),
        red=("20",),
    ),
    Broken(
        "no-birth-mark",
        "a seed lets clients in as soon as it has formed a cluster, whoever has accepted it",
        (
            Patch(
                f"{_SUPERVISOR}/seed.py",
                " and read_birth(local)",
                "",
            ),
        ),
        red=("16h",),
    ),
    Broken(
        "an-absent-api-ends-an-up",
        "a sequence fails at once where the Kubernetes API does not answer",
        (Patch("components/kube/connection.py", "    if patient:\n", "    if False:\n"),),
        red=("21b",),
    ),
    Broken(
        "silence-is-a-refusal",
        "a member that nobody asks for its readiness counts as one that is not ready",
        (
            Patch(
                f"{_SUPERVISOR}/unit.py",
                "self._health.refuses() and self._is_apart()",
                "self._is_apart()",
            ),
        ),
        red=("21c",),
    ),
    Broken(
        "silence-is-taken-for-no-cluster",
        "an `up` after a birth that Pulumi does not know takes members that do not answer for none",
        (
            Patch(
                "components/birth/acceptance.py",
                "if not noted:",
                "if True:",
            ),
        ),
        red=("16i",),
    ),
    Broken(
        "a-used-up-token-is-waited-for",
        "the birth waits to its end for a seed that says that it cannot come any more",
        (
            Patch(
                "components/birth/bootstrap.py",
                'if status.get("failed"):',
                "if False:",
            ),
        ),
        red=("16b",),
    ),
    Broken(
        "a-lost-discovery-is-waited-for",
        "the birth waits to its end for a discovery service whose pod is gone",
        (
            Patch(
                "components/birth/bootstrap.py",
                "if not isinstance(found, Unmet):\n        return found\n    found_now",
                "if True:\n        return found\n    found_now",
            ),
        ),
        red=("16f",),
    ),
    Broken(
        "discovery-is-not-started-again",
        "a discovery service whose etcd has ended stays down, and everybody waits for it",
        (
            Patch(
                f"{_SUPERVISOR}/discovery.py",
                "if not self._etcd.running:",
                "if not self._etcd.started_at:",
            ),
            Patch(
                f"{_SUPERVISOR}/discovery.py",
                'beat("running as the discovery service", etcd=True)',
                'beat("running as the discovery service", etcd=self._etcd.running)',
            ),
            Patch("components/birth/bootstrap.py", 'if status.get("failed"):', "if False:"),
            Patch(
                "components/birth/teardown.py",
                "        if token.endpoint != kube.site.discovery_url:",
                "        raise\n        if token.endpoint != kube.site.discovery_url:",
            ),
        ),
        red=("16d", "16e", "16g"),
    ),
    Broken(
        "a-seed-starts-once",
        "a seed that is started again does nothing, although it was not in discovery yet",
        (
            Patch(
                f"{_SUPERVISOR}/seed.py",
                "        self._held: str | None = None\n",
                '        seen = config.directory / "seen"\n'
                '        self._held: str | None = "seen" if seen.exists() else None\n'
                "        seen.touch()\n",
            ),
        ),
        red=("16a",),
    ),
    Broken(
        "a-dead-seed-stays",
        "a seed whose etcd was killed stays down, and a dead seed is waited for",
        (
            Patch(f"{_SUPERVISOR}/seed.py", "if code == 0:", "if code is not None:"),
            Patch(
                "components/change/plan.py",
                "    if dead is not None:\n        return _removal(goal, dead, workload)\n",
                "",
            ),
        ),
        red=("16c",),
    ),
    Broken(
        "hasty-elections",
        "members that miss a few heartbeats stand for election at once, wanted or not",
        (
            Patch(
                f"{_SUPERVISOR}/flags.py",
                '        f"--log-level={config.log_level}",\n',
                '        f"--log-level={config.log_level}",\n'
                '        "--heartbeat-interval=20",\n'
                '        "--election-timeout=150",\n'
                '        "--pre-vote=false",\n',
            ),
        ),
        red=("7",),
    ),
    Broken(
        "a-wrong-clock-is-deadly",
        "a member whose clock has jumped is taken for dead",
        (
            Patch(
                f"{_SUPERVISOR}/health.py",
                "    def live(self) -> bool:\n",
                "    _offset = time.time() - time.monotonic()\n\n    def live(self) -> bool:\n",
            ),
            Patch(
                f"{_SUPERVISOR}/health.py",
                "        if time.monotonic() - self._beat > BEAT_SECONDS:\n",
                "        if abs(time.time() - time.monotonic() - self._offset) > 60:\n"
                "            return False\n"
                "        if time.monotonic() - self._beat > BEAT_SECONDS:\n",
            ),
            Patch(
                "components/workload.py",
                '_probe(etcd.health_port, "/livez", period=10, failures=6)',
                '_probe(etcd.health_port, "/livez", period=3, failures=3)',
            ),
        ),
        red=("11",),
    ),
)


class UnknownBuildError(Exception):
    """Names a build that is not there; the text lists those that are."""


def named(name: str) -> tuple[Broken, ...]:
    """The build of that name; `all`: every one. Raises UnknownBuildError."""
    found = tuple(broken for broken in BROKEN if name in (broken.name, "all"))
    if not found:
        raise UnknownBuildError(
            f"no broken build {name}; there are {', '.join(b.name for b in BROKEN)}, or all"
        )
    return found
