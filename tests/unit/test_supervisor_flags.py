"""etcd's command line, for every way of starting it and every version."""

from __future__ import annotations

from pathlib import Path

import pytest

from containers.etcd.supervisor import flags
from containers.etcd.supervisor.config import Config, from_environment
from tests.support.members import config, environment, seed
from tests.support.views import member

VERSIONS = ["3.5.33", "3.6.14", "3.7.1"]
MEMBERS = [
    member(1, "etcd-seed-0"),
    member(2, "etcd-0", learner=True, started=False),
]


def flag(arguments: list[str], name: str) -> str | None:
    """The value of a flag; None if it is not set."""
    found = [a.partition("=")[2] for a in arguments if a.partition("=")[0] == f"--{name}"]
    assert len(found) <= 1, f"--{name} is said twice"
    return found[0] if found else None


def every_start(version: str) -> dict[str, list[str]]:
    unit = config(etcd_version=version)
    return {
        "restart": flags.restart(unit),
        "join": flags.join(unit, MEMBERS),
        "seed": flags.seed(seed(etcd_version=version)),
        "discovery": flags.discovery(config(role="discovery", etcd_version=version)),
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_only_a_seed_and_the_discovery_service_can_ever_form_a_cluster(version: str) -> None:
    """etcd's default of --initial-cluster-state is `new`: what is left out is said."""
    starts = every_start(version)
    assert flag(starts["restart"], "initial-cluster-state") == "existing"
    assert flag(starts["join"], "initial-cluster-state") == "existing"
    assert flag(starts["seed"], "initial-cluster-state") == "new"
    for name in ("restart", "join", "discovery"):
        assert not [a for a in starts[name] if a.startswith("--discovery")]


@pytest.mark.parametrize("version", VERSIONS)
def test_no_flag_is_said_twice_and_no_value_is_missing(version: str) -> None:
    for arguments in every_start(version).values():
        for argument in arguments:
            name, _, value = argument.partition("=")
            assert name.startswith("--")
            assert value
            assert flag(arguments, name[2:]) == value


@pytest.mark.parametrize("version", VERSIONS)
def test_no_version_sees_an_experimental_flag(version: str) -> None:
    """etcd 3.7 has none of them and would not start."""
    for arguments in every_start(version).values():
        assert not [a for a in arguments if a.startswith("--experimental")]


def test_learners_are_limited_alike_on_every_member_for_ever() -> None:
    """Members that differ here apply the same entry of the log differently."""
    for version in VERSIONS:
        for start, arguments in every_start(version).items():
            # 3.5 knows no such flag and would not start.
            expected = None if start == "discovery" or version == "3.5.33" else "7"
            assert flag(arguments, "max-learners") == expected


def test_a_joiner_names_the_whole_list_with_itself_in_it() -> None:
    listed = flag(flags.join(config(), MEMBERS), "initial-cluster")
    assert listed == (
        "etcd-seed-0=http://etcd-seed-0.etcd-peer.etcd.svc.cluster.local:2380,"
        "etcd-0=http://etcd-0.etcd-peer.etcd.svc.cluster.local:2380"
    )
    assert flag(flags.join(config(), MEMBERS), "name") == "etcd-0"


def test_a_restart_says_nothing_about_the_membership() -> None:
    assert flag(flags.restart(config()), "initial-cluster") is None


def test_seeds_find_each_other_by_v3_discovery() -> None:
    arguments = flags.seed(seed("v3"))
    assert flag(arguments, "discovery-token") == "the-token"
    assert flag(arguments, "discovery-endpoints") == "http://etcd-discovery:2379"
    assert flag(arguments, "discovery") is None
    assert flag(arguments, "initial-cluster") is None


def test_seeds_find_each_other_by_a_v2_url_and_never_fall_back_to_a_proxy() -> None:
    arguments = flags.seed(seed("v2", etcd_version="3.5.33"))
    assert flag(arguments, "discovery") == "https://d.test/00000000000000000000000000000000"
    assert flag(arguments, "discovery-fallback") == "exit"
    assert flag(arguments, "discovery-token") is None


def test_the_discovery_service_lets_no_peer_in() -> None:
    arguments = flags.discovery(config(role="discovery", name="etcd-discovery-0"))
    for name in ("listen-peer-urls", "initial-advertise-peer-urls"):
        assert flag(arguments, name) == "http://127.0.0.1:2380"
    assert flag(arguments, "initial-cluster") == "etcd-discovery-0=http://127.0.0.1:2380"


def test_only_the_discovery_service_may_forget_what_it_has_acknowledged() -> None:
    for start, arguments in every_start("3.6.14").items():
        assert (flag(arguments, "unsafe-no-fsync") is not None) == (start == "discovery")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_scheme_has_one_source(scheme: str) -> None:
    host = "etcd-0.etcd-peer.etcd.svc.cluster.local"
    arguments = flags.restart(
        config(client_url=f"{scheme}://{host}:2379", peer_url=f"{scheme}://{host}:2380")
    )
    for name in ("listen-client-urls", "advertise-client-urls", "listen-peer-urls"):
        assert str(flag(arguments, name)).startswith(f"{scheme}://")
    metrics = flag(arguments, "listen-metrics-urls")
    assert metrics == "http://0.0.0.0:2381", "probes have no certificate"


def test_settings_arrive() -> None:
    arguments = flags.restart(
        config(
            client_port="12379",
            metrics_port="12381",
            quota_bytes="7",
            snapshot_count="8",
            log_level="warn",
        )
    )
    assert flag(arguments, "listen-client-urls") == "http://0.0.0.0:12379"
    assert flag(arguments, "listen-metrics-urls") == "http://0.0.0.0:12381"
    assert flag(arguments, "quota-backend-bytes") == "7"
    assert flag(arguments, "snapshot-count") == "8"
    assert flag(arguments, "log-level") == "warn"
    assert flag(arguments, "data-dir") == "/var/lib/etcd/data"


def test_a_seed_reads_its_discovery_from_files(tmp_path: Path) -> None:
    found = {"protocol": "v3", "token": "the-token", "endpoint": "http://etcd-discovery:2379"}
    for key, value in found.items():
        (tmp_path / key).write_text(value)
    mounted = config(role="seed", name="etcd-seed-1", discovery_directory=str(tmp_path))
    assert mounted == seed("v3")
    (tmp_path / "token").unlink()
    with pytest.raises(OSError, match="token"):
        config(role="seed", discovery_directory=str(tmp_path))


def test_history_is_not_kept_for_ever() -> None:
    for name in ("restart", "join", "seed"):
        assert flag(every_start("3.6.14")[name], "auto-compaction-retention") == "1h"


# ---------------------------------------------------------------- the settings themselves


def test_every_setting_of_the_pod_template_is_needed() -> None:
    """Left out, it is an error at the start, never a default that nobody chose."""
    whole = environment(config().directory)
    assert isinstance(from_environment(whole), Config)
    for name in whole:
        with pytest.raises(KeyError, match=name):
            from_environment({k: v for k, v in whole.items() if k != name})


@pytest.mark.parametrize(
    ("key", "value"), [("role", "leader"), ("client_port", "http"), ("quota_bytes", "")]
)
def test_a_setting_that_makes_no_sense_is_refused(key: str, value: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        config(**{key: value})


@pytest.mark.parametrize(
    ("version", "minor"), [("3.5.33", (3, 5)), ("3.6.14", (3, 6)), ("3.10.0", (3, 10))]
)
def test_versions_are_compared_as_numbers(version: str, minor: tuple[int, int]) -> None:
    assert config(etcd_version=version).minor == minor


@pytest.mark.parametrize(("name", "ordinal"), [("etcd-0", 0), ("my-etcd-12", 12)])
def test_the_ordinal_is_the_end_of_the_pods_name(name: str, ordinal: int) -> None:
    assert config(name=name).ordinal == ordinal
