"""The supervisor as it runs in a pod: the real process, real etcd, real discovery, on loopback.

Only what needs a Service or names in DNS is left to the end-to-end tests: units that join.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from containers.etcd.supervisor import kubernetes, rules
from containers.etcd.supervisor import seed as seed_module
from containers.etcd.supervisor.birth_mark import BIRTH_KEY
from containers.etcd.supervisor.config import from_environment
from containers.etcd.supervisor.health import Health
from containers.etcd.supervisor.membership import View
from containers.etcd.supervisor.metrics import has_applied, occupied, value
from containers.etcd.supervisor.seed import Seed
from lab.tools import ensure
from tests.support import members, views
from tests.support.joining import is_removed
from tests.support.ports import free_port
from tests.support.supervisor import (
    Supervisor,
    Watched,
    eventually,
    passes,
    running,
    supervisors,
    told,
    when_possible,
)


@pytest.fixture(scope="module")
def programs() -> dict[str, Path]:
    return ensure(["etcd", "etcdctl"])


@pytest.fixture(scope="module")
def service(
    programs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Supervisor]:
    """The discovery service, running."""
    with supervisors() as known:
        folder = tmp_path_factory.mktemp("discovery") / "volume"
        member = Supervisor(programs, folder, "etcd-discovery-0", role="discovery")
        known.append(member)
        member.start()
        eventually("the discovery service to be ready", lambda: member.ready)
        yield member


@pytest.fixture
def seeds(
    programs: dict[str, Path], service: Supervisor, tmp_path: Path
) -> Iterator[Callable[[int], list[Supervisor]]]:
    """Makes seeds that share a fresh token, none started yet."""
    with supervisors() as known:

        def make(count: int) -> list[Supervisor]:
            token = secrets.token_hex(16)
            for index in range(count):
                seed = Supervisor(
                    programs,
                    tmp_path / f"seed-{index}",
                    f"etcd-seed-{index}",
                    {"protocol": "v3", "token": token, "endpoint": service.url},
                    role="seed",
                )
                known.append(seed)
            return known

        yield make


def announce(service: Supervisor, seed: Supervisor, size: int) -> None:
    """Put the size key, as the discovery resource does."""
    service.ctl("put", f"/_etcd/registry/{seed.token}/_config/size", str(size))


def formed(service: Supervisor, seeds: list[Supervisor]) -> None:
    """Start the seeds, and return when they are one cluster that nobody has accepted yet."""
    for seed in seeds:
        seed.start()
    announce(service, seeds[0], len(seeds))
    names = {seed.name for seed in seeds}
    for seed in seeds:
        eventually(f"the cluster of {seed.name}", lambda seed=seed: answers(seed, names))


def answers(seed: Supervisor, names: set[str]) -> bool:
    try:
        return set(seed.members()) == names
    except subprocess.CalledProcessError:
        return False


def born(service: Supervisor, seeds: list[Supervisor]) -> None:
    """The same, accepted: every seed is ready."""
    formed(service, seeds)
    when_possible(lambda: seeds[0].ctl("put", BIRTH_KEY, "{}"))
    for seed in seeds:
        eventually(f"{seed.name} to be ready", lambda seed=seed: seed.ready)


def test_seeds_form_one_cluster_and_let_nobody_in_before_its_birth_mark(
    service: Supervisor,
    seeds: Callable[[int], list[Supervisor]],
) -> None:
    trio = seeds(3)
    for seed in trio:
        seed.start()
    eventually("the seeds to wait", lambda: all("size key" in s.status()["phase"] for s in trio))
    assert [s.etcd_pid() for s in trio] == [None] * 3, "without the size key etcd would give up"
    assert all(s.live for s in trio)

    announce(service, trio[0], 3)
    names = {s.name for s in trio}
    for seed in trio:
        eventually(f"the cluster of {seed.name}", lambda seed=seed: answers(seed, names))
    eventually("a leader", trio[0].is_led)
    assert [s.ready for s in trio] == [False] * 3
    assert [s.status()["admitted"] for s in trio] == [False] * 3
    assert all(s.live for s in trio)

    when_possible(lambda: trio[0].ctl("put", BIRTH_KEY, "{}"))
    for seed in trio:
        eventually(f"{seed.name} to be ready", lambda seed=seed: seed.ready)
    assert trio[0].members() == trio[1].members() == trio[2].members()
    assert len(trio[0].members()) == 3
    # Far from the usual, which the bench measures.
    assert max(s.resident_bytes() for s in trio) < 60 * 2**20


def test_an_etcd_that_is_killed_comes_back_as_the_same_member(
    service: Supervisor, seeds: Callable[[int], list[Supervisor]]
) -> None:
    (seed,) = seeds(1)
    assert not has_applied(seed.metrics_port)
    born(service, [seed])
    eventually("its figures", lambda: has_applied(seed.metrics_port))
    figure = "etcd_disk_defrag_inflight"
    assert told(f"its {figure}", lambda: value(seed.metrics_port, figure)) == 0
    assert not occupied(seed.metrics_port)
    members = seed.members()
    seed.ctl("put", "greeting", "hello")
    seed.kill_etcd()
    eventually("the seed to be ready again", lambda: seed.ready)
    assert seed.members() == members
    assert seed.ctl("get", "greeting", "--print-value-only").strip() == "hello"
    assert seed.status()["failed"] is False


def test_sigterm_ends_etcd_and_then_the_supervisor_with_0(
    service: Supervisor, seeds: Callable[[int], list[Supervisor]]
) -> None:
    (seed,) = seeds(1)
    born(service, [seed])
    etcd = seed.etcd_pid()
    assert etcd is not None
    assert seed.stop() == 0
    assert not Path(f"/proc/{etcd}").exists()
    assert "received signal; shutting down" in seed.log(), "etcd was asked, not killed"


def test_a_seed_with_data_comes_back_without_its_token(
    service: Supervisor, seeds: Callable[[int], list[Supervisor]]
) -> None:
    """After a restart of its pod, when the discovery service and its keys may be gone."""
    (seed,) = seeds(1)
    born(service, [seed])
    members = seed.members()
    assert seed.stop() == 0
    service.ctl("del", "--prefix", f"/_etcd/registry/{seed.token}/")
    seed.start()
    eventually("its data to be known", lambda: seed.status()["data"] is True)
    eventually("the seed to be ready again", lambda: seed.ready)
    assert seed.members() == members


def test_a_removed_seed_idles_and_never_comes_back(
    service: Supervisor, seeds: Callable[[int], list[Supervisor]]
) -> None:
    trio = seeds(3)
    born(service, trio)
    last, others = trio[2], trio[:2]
    assert last.stop() == 0
    last.env["MEMBER_CLUSTER_URL"] = others[0].url
    last.start()
    eventually("it to be back", lambda: last.ready)
    gone = last.members()[last.name]
    eventually("etcd's own five seconds", lambda: is_removed(others[0], gone))
    eventually("the removed etcd to end", lambda: "nothing more" in last.status()["phase"])
    assert last.etcd_pid() is None
    assert last.live, "it waits for a good reason"
    assert not last.ready
    assert last.status()["failed"] is False
    # The removed one may have led.
    eventually("the others to go on", lambda: all(seed.ready for seed in others))
    assert last.stop() == 0


@pytest.mark.parametrize(
    ("listed", "starts_again"),
    [
        pytest.param(True, True, id="listed"),
        pytest.param(False, False, id="not listed"),
        pytest.param(None, True, id="nobody answers"),
    ],
)
def test_a_seed_whose_etcd_ends_with_0_comes_back_unless_the_list_lacks_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listed: bool | None, starts_again: bool
) -> None:
    etcd, starts = tmp_path / "etcd", tmp_path / "starts"
    etcd.write_text(f"#!/bin/sh\necho >> {starts}\n")
    etcd.chmod(0o755)
    (tmp_path / "data" / "member" / "wal").mkdir(parents=True)
    (tmp_path / "data" / "member" / "wal" / "0.wal").touch()
    config = members.seed(directory=str(tmp_path))
    others = [views.member(1, "etcd-1")]
    me = replace(views.member(2, "etcd-seed-1"), peer_url=config.peer_url)
    seen = {True: views.view([*others, me]), False: views.view(others), None: None}[listed]

    def read_view(_url: str) -> View | None:
        return seen

    def count() -> int:
        return len(starts.read_text()) if starts.exists() else 0

    monkeypatch.setattr(seed_module, "read_view", read_view)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with running(config, Watched(config.metrics_port), Seed) as health:
        eventually("etcd to end", lambda: "ended with 0" in str(health.status()["phase"]))
        if starts_again:
            eventually("another start", lambda: count() >= 2)
        else:
            eventually("to idle", lambda: "nothing more" in str(health.status()["phase"]))
            passes(health, 2)
            assert count() == 1


def test_a_token_is_used_once_however_often_a_seed_starts(
    service: Supervisor, seeds: Callable[[int], list[Supervisor]]
) -> None:
    """A second start could not join the others, or would form a second cluster with them."""
    alone = seeds(3)[0]
    alone.start()
    announce(service, alone, 3)
    eventually("etcd in discovery", lambda: alone.etcd_pid() is not None)
    eventually("its entry", lambda: alone.name in entries(service, alone))
    alone.kill_etcd()
    for how, code in ((" with -9", -9), ("", None)):
        eventually("the seed to hold", lambda: alone.status()["failed"] is True)
        assert alone.etcd_pid() is None
        said = f"etcd ended{how} before the cluster had formed: this token is used up"
        assert alone.status()["phase"] == said
        assert alone.status()["exitCode"] == code
        assert f"supervisor: {said}" in alone.log()
        assert alone.live
        assert not alone.ready
        starts = alone.log().count("supervisor: starting etcd")
        assert starts == 1
        assert alone.stop() == 0
        alone.start()


def refused_at_first(programs: dict[str, Path], folder: Path) -> tuple[dict[str, Path], Path]:
    """The same programs, with an etcd that the system refuses to start until it may be run."""
    folder.mkdir()
    etcd = folder / "etcd"
    etcd.write_text(f'#!/bin/sh\nexec {programs["etcd"]} "$@"\n')
    etcd.chmod(0o644)
    # In a folder where there is no other etcd.
    etcdctl = folder / "etcdctl"
    etcdctl.symlink_to(programs["etcdctl"])
    return {"etcd": etcd, "etcdctl": etcdctl}, etcd


def test_a_seed_that_the_system_refuses_to_start_keeps_its_token(
    programs: dict[str, Path], service: Supervisor, tmp_path: Path
) -> None:
    """As where there is no memory for a process: etcd has not run, and its ID is not registered."""
    own, etcd = refused_at_first(programs, tmp_path / "programs")
    with supervisors() as known:
        discovery = {"protocol": "v3", "token": secrets.token_hex(16), "endpoint": service.url}
        seed = Supervisor(own, tmp_path / "seed", "etcd-seed-0", discovery, role="seed")
        known.append(seed)
        announce(service, seed, 1)
        seed.start()
        eventually("it to be told", lambda: "start a process: " in seed.status()["phase"])
        assert seed.live
        assert seed.status()["failed"] is False
        etcd.chmod(0o755)
        eventually("the cluster", lambda: answers(seed, {seed.name}))
        assert "Traceback" not in seed.log()


def test_a_discovery_service_that_the_system_refuses_to_start_is_started_later(
    programs: dict[str, Path], tmp_path: Path
) -> None:
    own, etcd = refused_at_first(programs, tmp_path / "programs")
    with supervisors() as known:
        member = Supervisor(own, tmp_path / "volume", "etcd-discovery-0", role="discovery")
        known.append(member)
        member.start()
        eventually("it to be told", lambda: "start a process: " in member.status()["phase"])
        etcd.chmod(0o755)
        eventually("the service to be ready", lambda: member.ready)


def test_a_discovery_service_whose_etcd_ends_says_so_and_goes_on_trying(
    programs: dict[str, Path], tmp_path: Path
) -> None:
    """A birth that waits for it asks (`bootstrap._told`): its pod runs, as Kubernetes sees it."""
    own, etcd = refused_at_first(programs, tmp_path / "programs")
    good = etcd.read_text()
    etcd.write_text("#!/bin/sh\nexit 3\n")
    etcd.chmod(0o755)
    with supervisors() as known:
        member = Supervisor(own, tmp_path / "volume", "etcd-discovery-0", role="discovery")
        known.append(member)
        member.start()
        said = "etcd ended with 3; starting again"
        told = {"phase": said, "exitCode": 3}
        eventually("it to be told", lambda: told.items() <= member.status().items())
        etcd.write_text(good)
        eventually("the service to be ready", lambda: member.ready)


def test_a_seed_whose_disk_is_lost_does_not_use_its_token_again(
    service: Supervisor, seeds: Callable[[int], list[Supervisor]], tmp_path: Path
) -> None:
    """Its ID is made of address and token: it would vote for the second time, without its data."""
    trio = seeds(3)
    born(service, trio)
    lost = trio[0]
    assert lost.stop() == 0
    shutil.rmtree(tmp_path / "seed-0")
    (tmp_path / "seed-0").mkdir()
    lost.start()
    eventually("the seed to hold", lambda: lost.status()["failed"] is True)
    assert "its disk is empty" in lost.status()["phase"]
    assert lost.log().count("supervisor: starting etcd") == 1
    assert lost.live
    assert not lost.ready
    assert len(trio[1].members()) == 3


def entries(service: Supervisor, seed: Supervisor) -> str:
    return service.ctl("get", "--prefix", f"/_etcd/registry/{seed.token}/members/")


def test_no_proxy_is_between_a_member_and_the_others(
    programs: dict[str, Path], tmp_path: Path
) -> None:
    """Clusters put such variables into every pod; etcd, etcdctl and the supervisor obey them."""
    with supervisors() as known:
        member = Supervisor(programs, tmp_path / "member", "etcd-0", role="discovery")
        known.append(member)
        named = {f"{kind}_PROXY" for kind in ("HTTP", "HTTPS", "ALL", "NO")}
        proxies = {name: f"http://127.0.0.1:{free_port()}" for name in named}
        member.env |= proxies | {name.lower(): value for name, value in proxies.items()}
        member.start()
        eventually("the member to be ready", lambda: member.ready)
        # Its own, too: a child gets what the supervisor has then.
        given = Path(f"/proc/{member.etcd_pid()}/environ").read_bytes().split(b"\0")
        assert b"MEMBER_NAME=etcd-0" in given
        assert [entry for entry in given if b"_proxy=" in entry.lower()] == []


def test_a_token_is_never_in_a_log_of_the_supervisor(
    service: Supervisor, seeds: Callable[[int], list[Supervisor]]
) -> None:
    (seed,) = seeds(1)
    born(service, [seed])
    own = [line for line in seed.log().splitlines() if line.startswith("supervisor:")]
    assert own
    assert not [line for line in own if seed.token in line]


def test_a_unit_without_a_cluster_waits_and_starts_nothing(
    programs: dict[str, Path], tmp_path: Path
) -> None:
    with supervisors() as known:
        nowhere = f"http://127.0.0.1:{free_port()}"
        unit = Supervisor(programs, tmp_path / "unit", "etcd-0", cluster_url=nowhere)
        known.append(unit)
        unit.start()
        eventually("the unit to wait", lambda: "no cluster answers" in unit.status()["phase"])
        assert unit.etcd_pid() is None
        assert unit.live
        assert not unit.ready
        assert list((tmp_path / "unit").iterdir()) == [], "nothing is written either"
        assert unit.stop() == 0


def test_a_joiner_that_missed_its_own_announcement_starts_etcd_again_once(
    programs: dict[str, Path],
    service: Supervisor,
    seeds: Callable[[int], list[Supervisor]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No test can force the race that makes etcd miss it, so its first start is given another port:
    it is announced in the list and has applied, and does not answer.

    Kubernetes' answer is given as well: its address in a pod is fixed.
    """
    (seed,) = seeds(1)
    born(service, [seed])
    volume, starts = tmp_path / "unit", tmp_path / "starts"
    unit = Supervisor(programs, volume, "etcd-0", cluster_url=seed.url)
    elsewhere(programs["etcd"], tmp_path / "etcd", starts, unit)
    path = (str(tmp_path), str(programs["etcdctl"].parent), os.environ["PATH"])
    monkeypatch.setenv("PATH", os.pathsep.join(path))
    monkeypatch.setattr(kubernetes, "wants", wanted_always)
    monkeypatch.setattr(rules, "SETTLE_SECONDS", 0.5)  # it is not about that
    config = from_environment(unit.settings)
    with running(config, Health(config.metrics_port)) as health:
        eventually("a voter", lambda: health.status()["phase"] == "running as a voter")
        assert set(unit.members()) == {seed.name, unit.name}
        first, second = starts.read_text().splitlines()
        assert "--initial-cluster=" in first
        assert "--initial-cluster=" not in second, "it goes on from its own disk"


def elsewhere(etcd: Path, script: Path, starts: Path, unit: Supervisor) -> None:
    """An etcd that listens on another port when it is started for the first time.

    It is told its name in the list, too: the supervisor takes that from a member's name in DNS.
    """
    listen = f"--listen-client-urls={unit.url.replace('127.0.0.1', '0.0.0.0')}"
    other = f"--listen-client-urls=http://127.0.0.1:{free_port()}"
    changes = f"s|{listen}|{other}|;s|127={unit.peer_url}|{unit.name}={unit.peer_url}|"
    script.write_text(
        "#!/bin/sh\n"
        f'echo "$*" >> {starts}\n'
        f'[ $(wc -l < {starts}) = 1 ] || exec {etcd} "$@"\n'
        f"exec {etcd} $(echo \"$*\" | sed '{changes}')\n"
    )
    script.chmod(0o755)


def wanted_always(_namespace: str, _stateful_set: str, _ordinal: int, **_how: int) -> bool:
    return True


def test_a_pod_template_that_lacks_a_setting_is_told_in_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "supervisor", "run"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": "containers/etcd"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "supervisor: setting missing or wrong: 'MEMBER_ROLE'\n"
