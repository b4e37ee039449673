"""What a namespace's quotas and limits leave, against what the stack will ask for. Pure.

Kubernetes refuses each pod and claim that goes beyond them when it is made, which for a StatefulSet
is said in an event only. By the names that ResourceQuota and LimitRange have (Kubernetes:
policy/resource-quotas, policy/limit-range).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from kubernetes.utils.quantity import parse_quantity

from components.kube.pods import own_container

SERVICES = 3
STATEFUL_SETS = 3
SECRETS = 1
"""What a stack that has nothing yet makes, beside pods and volumes."""

OF_MEMBERS = {"NotTerminating", "NotBestEffort"}
"""Scopes that every pod of ours is in: it has requests, and no deadline."""

_Asked = tuple[tuple[str, ...], str, str, Decimal]
"""Kinds, resource, config key, amount."""


@dataclass(frozen=True)
class There:
    """What the stack's units have."""

    pods: Sequence[Any]
    volumes: int
    kept: bool
    """Whether these volumes hold a cluster."""

    @property
    def birth(self) -> bool:
        """Whether a cluster is to be formed, with seeds and a discovery service."""
        return not self.pods and not self.kept


def over_quota(
    namespace: str,
    quotas: Iterable[Any],
    limits: Sequence[Any],
    props: Mapping[str, Any],
    there: There,
) -> list[str]:
    """Of each resource that a quota leaves too little of. `props`: the preflight's."""
    given = _default_limits(limits, "cpu")
    cpu_limit = min(map(parse_quantity, given), default=Decimal(0))
    wanted = _wanted(props, there, cpu_limit)
    problems: list[str] = []
    for quota in quotas:
        if not _counts_members(quota, str(props["priority_class"])):
            continue
        where = f"quota {quota.metadata.name} of namespace {namespace}"
        for resource, hard in (quota.status.hard or {}).items():
            more = wanted.get(resource, Decimal(0))
            used = (quota.status.used or {}).get(resource, "0")
            if more > 0 and parse_quantity(hard) - parse_quantity(used) < more:
                each = f" ({_told('cpu', cpu_limit)} for each pod, the default limit)"
                problems.append(
                    f"{where} allows {resource} {hard}, {used} in use; this stack needs "
                    f"{_told(resource, more)} more{each if resource == 'limits.cpu' else ''}"
                )
            if resource == "limits.cpu" and not given:
                problems.append(
                    f"{where} counts {resource}, so that a pod without a CPU limit is refused, and "
                    "members have none, since a limit slows them down. Take it out of the quota, "
                    "or give the namespace a LimitRange with a default"
                )
    return problems


def _counts_members(quota: Any, priority_class: str) -> bool:
    """Whether our pods are surely in all of the quota's scopes (Kubernetes: "Quota scopes").

    What is not sure (another scope, a class that Kubernetes may give to pods without one) is no
    reason to refuse. `priority_class`: of our pods, empty where they name none.
    """
    spec = quota.spec
    if spec is None:
        return True
    selector = spec.scope_selector
    asked = [(scope, "Exists", ()) for scope in spec.scopes or ()]
    asked += [
        (e.scope_name, e.operator, e.values or ())
        for e in (selector.match_expressions if selector else None) or ()
    ]
    return all(
        _in_class(operator, values, priority_class)
        if scope == "PriorityClass"
        else scope in OF_MEMBERS and operator == "Exists"
        for scope, operator, values in asked
    )


def _in_class(operator: str, values: Iterable[str], priority_class: str) -> bool:
    matches = {
        "Exists": True,
        "In": priority_class in values,
        "NotIn": priority_class not in values,
    }
    return bool(priority_class) and matches.get(operator, False)


def out_of_limits(limits: Sequence[Any], props: Mapping[str, Any], there: There) -> list[str]:
    """Of each request that a LimitRange refuses (Kubernetes: plugin/pkg/admission/limitranger).

    A member's pod has one container, so that what is said of a pod is said of that.
    """
    asked = _single(props, ("units", "seeds") if there.birth else ("units",))
    given = _default_limits(limits, "cpu")
    problems: list[str] = []
    for limit in limits:
        where = f"LimitRange {limit.metadata.name}"
        for item in limit.spec.limits or []:
            for kinds, resource, key, amount in asked:
                if item.type not in kinds:
                    continue
                least, (most, why) = (item.min or {}).get(resource), _most(item, resource)
                too_little = least is not None and amount < parse_quantity(least)
                if too_little or (most is not None and amount > parse_quantity(most)):
                    problems.append(
                        f"{where} allows {resource} from {least or 0} to {most or 'any'}{why} for "
                        f"each {item.type}; etcd:{key} is {_told(resource, amount)}"
                    )
            most = (item.max or {}).get("cpu")
            if most and not any(parse_quantity(g) <= parse_quantity(most) for g in given):
                problems.append(
                    f"{where} wants a CPU limit of each {item.type}, at most {most}; members have "
                    "none, since a limit slows them down, and are given "
                    f"{' or '.join(given) or 'none'}. Take that max out, or give the namespace a "
                    "LimitRange with a default within it"
                )
            problems += _beyond_ratio(where, item, asked, given)
    return problems


def _beyond_ratio(
    where: str, item: Any, asked: Iterable[_Asked], given: Sequence[str]
) -> list[str]:
    """Of each CPU request that the limit is too far above, or of the want of a limit.

    A limit of memory never is: it is what is requested.
    """
    ratio = (item.max_limit_request_ratio or {}).get("cpu")
    if ratio is None:
        return []
    if not given:
        return [
            f"{where} wants a CPU limit of each {item.type}, at most {ratio} times its request; "
            "members have none, since a limit slows them down, and are given none. Take that "
            "maxLimitRequestRatio out, or give the namespace a LimitRange with a default within it"
        ]
    least = min(map(parse_quantity, given)) / parse_quantity(ratio)
    return [
        f"{where} allows a CPU limit of at most {ratio} times the request for each {item.type}; "
        f"etcd:{key} is {_told(resource, amount)}, and members are given {' or '.join(given)} (the "
        f"default limit). Set at least: pulumi config set --path etcd:{key} "
        f"{math.ceil(least * 1000)}m"
        for kinds, resource, key, amount in asked
        if resource == "cpu" and item.type in kinds and amount < least
    ]


def _most(item: Any, resource: str) -> tuple[str | None, str]:
    """How much a member may request, and why when it is no `max`.

    A container without a CPU limit is given the default one, and no request may be above its limit.
    """
    most, default = ((edge or {}).get(resource) for edge in (item.max, item.default))
    if resource == "cpu" and default is not None and default != most:
        return default, " (the default limit)"
    return most, ""


def _single(props: Mapping[str, Any], groups: Iterable[str]) -> list[_Asked]:
    """What one pod or claim asks for. `groups`: of members."""

    def each(what: str, prefix: str) -> Decimal:
        units = _amount(props, f"unit_{what}")
        count = int(props["unit_pods"])
        if prefix == "units":
            return units / count
        helpers = int(props["pods"]) - count
        return (_amount(props, what) - units) / helpers

    containers = [
        (("Container", "Pod"), what, f"{prefix}.{what}", each(what, prefix))
        for prefix in groups
        for what in ("cpu", "memory")
    ]
    size = parse_quantity(str(props["storage"]))
    claims = [(("PersistentVolumeClaim",), "storage", "storage.size", size)]
    return [*containers, *(claims if int(props["volumes"]) else [])]


def _default_limits(limits: Iterable[Any], resource: str) -> list[str]:
    """What a container without that limit is given; of several, Kubernetes takes any."""
    items = [item for limit in limits for item in limit.spec.limits or []]
    # Where there is no default, the largest is (pkg/apis/core/v1/defaults.go).
    found = [{**(i.max or {}), **(i.default or {})} for i in items if i.type == "Container"]
    return [of[resource] for of in found if resource in of]


def _amount(props: Mapping[str, Any], key: str) -> Decimal:
    """Of the preflight's inputs. Cores are whole thousandths, and were added up as floats."""
    return round(parse_quantity(str(props[key])), 3)


def _told(resource: str, amount: Decimal) -> str:
    if "memory" in resource or "storage" in resource:
        return f"{math.ceil(amount / 2**20)}Mi"
    return f"{amount.normalize():f}"


def _wanted(props: Mapping[str, Any], there: There, cpu_limit: Decimal) -> dict[str, Decimal]:
    """What is to come when the stack asks for most, by quota's resource.

    What the units shall have, less what these pods and volumes have, which is in use already. At a
    birth seeds and discovery service beside them, until the handover. Where a cluster is kept, the
    one held pod of each (see `components.names.GATE`) is not needed, and goes.

    `cpu_limit`: what the namespace gives to each pod that is made, also in the place of another.
    """
    resources = [own_container(pod).resources for pod in there.pods]
    requests = [r.requests or {} for r in resources]
    limits = [r.limits or {} for r in resources]

    def more(what: str, has: Iterable[str | int], each: Decimal = Decimal(1)) -> Decimal:
        units, everything = (each * _amount(props, key) for key in (f"unit_{what}", what))
        # Volumes of units beyond the count leave no room for those of seeds.
        grown = max(units - sum(map(parse_quantity, has)), Decimal(0))
        return grown + (everything - units if there.birth else 0)

    members = _by_resource(
        props,
        more("pods", [len(requests)]),
        more("cpu", [r.get("cpu", 0) for r in requests]),
        more("memory", [r.get("memory", 0) for r in requests]),
        more("volumes", [there.volumes]),
    )
    members["limits.cpu"] = more("pods", [r.get("cpu", 0) for r in limits], cpu_limit)
    if there.pods:
        return members
    return {
        **members,
        **dict.fromkeys(("services", "count/services"), Decimal(SERVICES)),
        **dict.fromkeys(("secrets", "count/secrets"), Decimal(SECRETS if there.birth else 0)),
        "count/statefulsets.apps": Decimal(STATEFUL_SETS),
    }


def _by_resource(
    props: Mapping[str, Any], pods: Decimal, cpu: Decimal, memory: Decimal, volumes: Decimal
) -> dict[str, Decimal]:
    storage = parse_quantity(str(props["storage"])) * volumes
    of_class = f"{props['storage_class']}.storageclass.storage.k8s.io"
    claims = ("persistentvolumeclaims", "count/persistentvolumeclaims")
    return {
        **dict.fromkeys(("pods", "count/pods"), pods),
        **dict.fromkeys(("requests.cpu", "cpu"), cpu),
        # A unit's limit is what it requests.
        **dict.fromkeys(("requests.memory", "memory", "limits.memory"), memory),
        **dict.fromkeys((*claims, f"{of_class}/persistentvolumeclaims"), volumes),
        **dict.fromkeys(("requests.storage", f"{of_class}/requests.storage"), storage),
    }
