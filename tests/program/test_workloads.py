"""The three workloads, as Kubernetes gets them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.program.conftest import Declare
from tests.support.program import BUILT, DYNAMIC, WORKLOADS, Declared, workloads

GATE = [{"name": "etcd.pulumi.com/bootstrap"}]


def volumes(workload: Declared) -> dict[str, Any]:
    """Those of the pod itself, without the claims, by name."""
    return {v["name"]: {k: v[k] for k in v if k != "name"} for v in workload.pod.get("volumes", [])}


@pytest.mark.parametrize("preview", [False, True], ids=["up", "preview"])
@pytest.mark.parametrize("count", [1, 3, 7])
def test_no_workload_declares_a_count(declare: Declare, preview: bool, count: int) -> None:
    """The scale and handover sequences are the only writers of it: no apply ever fights them."""
    program = declare(preview=preview, seeds={"count": 1}, units={"count": count})
    for workload in workloads(program).values():
        assert "replicas" not in workload.spec
        # What somebody has set with `kubectl edit` is left as it is, too.
        assert workload.ignored_changes == ("spec.replicas",)


def test_seeds_and_discovery_start_only_when_a_sequence_lets_them(declare: Declare) -> None:
    found = workloads(declare())
    assert found["etcd-seed"].pod["schedulingGates"] == GATE
    assert found["etcd-discovery"].pod["schedulingGates"] == GATE


def test_units_start_by_themselves_after_any_outage(declare: Declare) -> None:
    assert "schedulingGates" not in workloads(declare())["etcd"].pod


def test_no_template_change_restarts_a_member_by_itself(declare: Declare) -> None:
    found = workloads(declare())
    assert found["etcd-seed"].spec["updateStrategy"] == {"type": "OnDelete"}
    assert found["etcd-discovery"].spec["updateStrategy"] == {"type": "OnDelete"}
    # Units too: the rolling change is a sequence, which knows who leads and who has caught up.
    assert found["etcd"].spec["updateStrategy"] == {"type": "OnDelete"}


def test_pods_never_wait_for_the_readiness_of_others(declare: Declare) -> None:
    """A member is ready only when a quorum is: one at a time would never come up again."""
    for workload in workloads(declare()).values():
        assert workload.spec["podManagementPolicy"] == "Parallel"


def test_pulumi_does_not_wait_where_a_sequence_does(declare: Declare) -> None:
    program = declare()
    for resource in (*program.all("StatefulSet"), *program.all("Service")):
        assert resource.inputs["metadata"]["annotations"]["pulumi.com/skipAwait"] == "true"


# ---------------------------------------------------------------- volumes

KEPT = {"whenDeleted": "Retain", "whenScaled": "Retain"}
UNTIL_DESTROYED = {"whenDeleted": "Delete", "whenScaled": "Retain"}
NEVER_KEPT = {"whenDeleted": "Delete", "whenScaled": "Delete"}


@pytest.mark.parametrize(("retain", "expected"), [(True, KEPT), (False, UNTIL_DESTROYED)])
def test_units_volumes_outlive_the_stack_only_when_asked(
    declare: Declare, retain: bool, expected: dict[str, str]
) -> None:
    found = workloads(declare(storage={"retain": retain}))
    policy = "persistentVolumeClaimRetentionPolicy"
    assert found["etcd"].spec[policy] == expected
    assert found["etcd-seed"].spec[policy] == NEVER_KEPT, "a seed's data is worth nothing later"


def test_members_have_a_volume_each_and_the_discovery_service_has_none(declare: Declare) -> None:
    found = workloads(declare(storage={"size": "3Gi", "className": "fast"}))
    for name in ("etcd", "etcd-seed"):
        (claim,) = found[name].spec["volumeClaimTemplates"]
        assert claim["metadata"]["name"] == "data"
        assert claim["spec"]["resources"] == {"requests": {"storage": "3Gi"}}
        assert claim["spec"]["storageClassName"] == "fast"
        assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
        assert "data" not in volumes(found[name])
    assert "volumeClaimTemplates" not in found["etcd-discovery"].spec
    assert volumes(found["etcd-discovery"]) == {"data": {"emptyDir": {}}}


def test_without_a_class_the_clusters_default_is_taken(declare: Declare) -> None:
    (claim,) = workloads(declare())["etcd"].spec["volumeClaimTemplates"]
    assert "storageClassName" not in claim["spec"], "an empty one would mean: no class at all"


@pytest.mark.parametrize(("kind", "medium"), [("ephemeral", {}), ("memory", {"medium": "Memory"})])
def test_storage_without_volumes_declares_none(
    declare: Declare, kind: str, medium: dict[str, str]
) -> None:
    found = workloads(declare(storage={"kind": kind}))
    for workload in found.values():
        assert "volumeClaimTemplates" not in workload.spec
        assert "persistentVolumeClaimRetentionPolicy" not in workload.spec
    found = {name: volumes(workload)["data"] for name, workload in found.items()}
    assert found.pop("etcd") == {"emptyDir": medium}
    assert set(map(str, found.values())) == {str({"emptyDir": {}})}, "no memory for it in a seed"


def test_what_is_immutable_in_a_workload_never_follows_the_version(declare: Declare) -> None:
    old, new = (workloads(declare(etcd={"version": v})) for v in ("3.6.14", "3.7.1"))
    for name in WORKLOADS:
        for key in ("selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates"):
            assert old[name].spec.get(key) == new[name].spec.get(key)
        assert old[name].pod != new[name].pod, "the version itself arrives"


@pytest.mark.parametrize(
    ("storage", "quota"),
    [
        pytest.param({"size": "1Gi"}, int(0.45 * 512 * 1024**2), id="room for a defragmentation"),
        pytest.param({"size": "500Gi"}, 8 * 1024**3, id="never above etcd's own limit"),
        pytest.param({"kind": "ephemeral"}, 2 * 1024**3, id="etcd's default"),
        pytest.param({"kind": "memory"}, int(0.45 * 384 * 1024**2), id="inside the memory limit"),
    ],
)
def test_etcds_quota_fits_into_its_place(
    declare: Declare, storage: dict[str, Any], quota: int
) -> None:
    found = workloads(declare(storage=storage, units={"memory": "1Gi"}))
    assert found["etcd"].env["MEMBER_QUOTA_BYTES"] == str(quota)


@pytest.mark.parametrize(
    ("storage", "place"),
    [
        pytest.param({"size": "1Gi"}, 1024**3, id="small"),
        pytest.param({"size": "20Gi"}, 20 * 1024**3, id="as by default"),
        pytest.param({"size": "500Gi"}, 500 * 1024**3, id="large"),
        pytest.param({"kind": "memory"}, 768 * 1024**2, id="inside the memory limit"),
        pytest.param({"kind": "ephemeral"}, None, id="a node's own disk"),
    ],
)
def test_the_largest_entries_fill_no_disk_before_a_snapshot_lets_them_go(
    declare: Declare, storage: dict[str, Any], place: int | None
) -> None:
    env = workloads(declare(storage=storage, units={"memory": "1Gi"}))["etcd"].env
    count, quota = (int(env[f"MEMBER_{key}"]) for key in ("SNAPSHOT_COUNT", "QUOTA_BYTES"))
    assert 0 < count <= 10_000, "etcd's own default is enough"
    if place is not None:
        files_that_stay = 6 * 64 * 1024**2
        assert count * 1.5 * 1024**2 + quota + files_that_stay <= place


@pytest.mark.parametrize(
    ("kind", "memory", "unit", "seed"),
    [
        pytest.param("persistent", "1Gi", 992, 96, id="its data is on a volume"),
        pytest.param("memory", "1Gi", 224, 96, id="a quarter is not for data"),
        pytest.param("memory", "768Mi", 160, 96, id="never less than etcd needs"),
    ],
)
def test_gos_heap_is_told_how_much_memory_there_is(
    declare: Declare, kind: str, memory: str, unit: int, seed: int
) -> None:
    """`unit`, `seed`: MiB beside the supervisor's, of which a tenth stays free."""
    found = workloads(
        declare(storage={"kind": kind}, units={"memory": memory}, seeds={"memory": "128Mi"})
    )
    for name, most in (("etcd", unit), ("etcd-seed", seed), ("etcd-discovery", seed)):
        assert found[name].env["GOMEMLIMIT"] == str(most * 1024**2 * 9 // 10)
    own = {"extraEnv": [{"name": "GOMEMLIMIT", "value": "off"}]}
    assert workloads(declare(etcd=own))["etcd"].env["GOMEMLIMIT"] == "off"


@pytest.mark.parametrize("kind", ["persistent", "ephemeral", "memory"])
def test_a_quota_that_may_change_is_known_to_those_who_must_judge_it(
    declare: Declare, kind: str
) -> None:
    """What else it may follow stays as it is: storage.size."""
    program = declare(storage={"kind": kind}, units={"memory": "1Gi"})
    told = {"bytes": int(0.45 * 384 * 1024**2), "memory": "1Gi"} if kind == "memory" else {}
    for judge in ("Preflight", "Rollout"):
        assert program.one(f"{DYNAMIC}{judge}").inputs["quota"] == told


def test_commands_in_a_members_pod_go_through_no_proxy(declare: Declare) -> None:
    """As etcdctl decides by its environment, into which some clusters put one."""
    for workload in workloads(declare()).values():
        assert workload.env["NO_PROXY"] == "*"


# ---------------------------------------------------------------- health


def test_probes_ask_the_supervisor_and_nobody_else(declare: Declare) -> None:
    for workload in workloads(declare(etcd={"healthPort": 2399})).values():
        container = workload.container
        assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": 2399}
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": 2399}
        assert workload.env["MEMBER_HEALTH_PORT"] == "2399"
        assert "startupProbe" not in container, "a member may wait for ever for a good reason"
        for probe in ("livenessProbe", "readinessProbe"):
            assert container[probe]["timeoutSeconds"] == 8, "etcd's own check may take 7 s"


def test_one_unit_at_a_time_may_be_disturbed(declare: Declare) -> None:
    program = declare(units={"count": 5})
    budget = program.one("PodDisruptionBudget", "etcd")
    assert budget.spec["maxUnavailable"] == 1
    assert budget.spec["selector"] == workloads(program)["etcd"].spec["selector"]


# ---------------------------------------------------------------- rights


def test_no_pod_has_more_rights_than_it_needs(declare: Declare) -> None:
    for workload in workloads(declare()).values():
        pod, container = workload.pod["securityContext"], workload.container["securityContext"]
        assert pod["runAsNonRoot"] is True
        assert pod["runAsUser"] == pod["runAsGroup"] == pod["fsGroup"] == 65532
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & set(workload.pod)
        mounts = workload.container["volumeMounts"]
        writable = [m["mountPath"] for m in mounts if not m.get("readOnly")]
        assert writable == ["/var/lib/etcd"], "the one place that can be written to"


def test_a_unit_may_read_its_own_workload_and_nothing_else(declare: Declare) -> None:
    program = declare(etcd={"name": "kv"})
    (rule,) = program.one("Role").inputs["rules"]
    assert rule == {
        "apiGroups": ["apps"],
        "resources": ["statefulsets"],
        "resourceNames": ["kv"],
        "verbs": ["get"],
    }
    binding = program.one("RoleBinding").inputs
    assert binding["roleRef"]["name"] == program.one("Role").inputs["metadata"]["name"]
    (subject,) = binding["subjects"]
    account = program.one("ServiceAccount").inputs["metadata"]
    assert (subject["kind"], subject["name"]) == ("ServiceAccount", account["name"])
    units = program.one("StatefulSet", "kv")
    assert units.pod["serviceAccountName"] == account["name"]
    assert units.pod["automountServiceAccountToken"] is True
    assert not program.all("ClusterRole")
    assert not program.all("ClusterRoleBinding")


def test_seeds_and_discovery_hold_no_token_of_kubernetes(declare: Declare) -> None:
    found = workloads(declare())
    for name in ("etcd-seed", "etcd-discovery"):
        assert found[name].pod["automountServiceAccountToken"] is False
        assert "serviceAccountName" not in found[name].pod


# ---------------------------------------------------------------- what members are told


@pytest.mark.parametrize("kind", ["persistent", "memory"])
def test_only_seeds_know_of_discovery_and_only_by_files_of_a_secret(
    kind: str, declare: Declare
) -> None:
    found = workloads(declare(storage={"kind": kind}))
    seed = found["etcd-seed"]
    where = seed.env["MEMBER_DISCOVERY_DIRECTORY"]
    assert {"name": "discovery", "mountPath": where, "readOnly": True} in seed.container[
        "volumeMounts"
    ]
    secret = {"secretName": "etcd-discovery", "defaultMode": 0o440}
    assert volumes(seed)["discovery"] == {"secret": secret}
    for name in ("etcd", "etcd-discovery"):
        assert not [k for k in found[name].env if k.startswith("MEMBER_DISCOVERY")]
        assert "discovery" not in volumes(found[name])
    for workload in found.values():
        assert "secretKeyRef" not in str(workload.env)


def test_peer_addresses_are_stable_names(declare: Declare) -> None:
    found = workloads(declare(kubernetes={"namespace": "store", "clusterDomain": "k.test"}))
    for name in ("etcd", "etcd-seed"):
        env = found[name].env
        host = "$(MEMBER_NAME).etcd-peer.store.svc.k.test"
        assert env["MEMBER_PEER_URL"] == f"http://{host}:2380"
        assert env["MEMBER_CLIENT_URL"] == f"http://{host}:2379"
        assert found[name].spec["serviceName"] == "etcd-peer"
        assert next(iter(env)) == "MEMBER_NAME", "Kubernetes expands only what stands before"
        assert env["MEMBER_CLUSTER_URL"] == "http://etcd.store.svc.k.test:2379"


def test_the_image_is_deployed_by_digest(declare: Declare) -> None:
    for workload in workloads(declare()).values():
        assert workload.container["image"] == BUILT


def test_settings_of_pods_arrive_everywhere(declare: Declare) -> None:
    affinity = {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}
                ]
            }
        }
    }
    toleration = {
        "key": "dedicated",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 60,
    }
    program = declare(
        etcd={
            "labels": {"team": "storage"},
            "extraEnv": [{"name": "GOMAXPROCS", "value": "2"}],
            "logLevel": "warn",
        },
        units={"nodeSelector": {"pool": "etcd"}, "tolerations": [toleration], "affinity": affinity},
        image={"pullPolicy": "Always", "pullSecrets": ["registry-login"]},
    )
    for workload in workloads(program).values():
        assert workload.pod["nodeSelector"]["pool"] == "etcd"
        assert workload.pod["tolerations"][0] == toleration
        assert workload.pod["affinity"] == affinity
        assert "topologySpreadConstraints" not in workload.pod, "replaced by the affinity"
        assert workload.env["GOMAXPROCS"] == "2"
        assert workload.env["MEMBER_LOG_LEVEL"] == "warn"
        assert workload.container["imagePullPolicy"] == "Always"
        assert workload.pod["imagePullSecrets"] == [{"name": "registry-login"}]
        assert workload.spec["template"]["metadata"]["labels"]["team"] == "storage"
    for resource in program.resources:
        if resource.type.startswith("kubernetes:"):
            assert resource.inputs["metadata"]["labels"]["team"] == "storage", resource.urn


def test_resources_are_the_configured_ones_and_no_cpu_limit_makes_elections(
    declare: Declare,
) -> None:
    found = workloads(
        declare(units={"cpu": "2", "memory": "4Gi"}, seeds={"cpu": "250m", "memory": "256Mi"})
    )
    assert found["etcd"].container["resources"] == {
        "requests": {"cpu": "2", "memory": "4Gi"},
        "limits": {"memory": "4Gi"},
    }
    for name in ("etcd-seed", "etcd-discovery"):
        assert found[name].container["resources"] == {
            "requests": {"cpu": "250m", "memory": "256Mi"},
            "limits": {"memory": "256Mi"},
        }
