"""Whether this user may grant the units' pods their rights.

Kubernetes lets nobody make a Role that allows more than he is allowed himself by RBAC, unless he
may `escalate` (its registry/rbac/role/policybased/storage.go). No access review tells: who is
authorised by a webhook, as by the access policies of EKS, may make Roles, and holds nothing by
RBAC.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from kubernetes import client
from kubernetes.client import ApiException

from components.kube.client import Kube
from components.kube.errors import told_by, unless
from components.member_rights import rules

_NOT_HELD = "attempting to grant RBAC permissions not currently held"


def obstacle(kube: Kube) -> str | None:
    """Why Kubernetes would refuse the Role from this user; None where it would not say so.

    By a dry run, in a namespace that is there; a Role that is there too is granted already. Of the
    RoleBinding nothing is to be known before its Role is there (404); who holds what the Role
    grants may make both. A webhook that takes no dry run, for one, proves nothing (400).
    """
    api: Any = client.RbacAuthorizationV1Api(kube.core.api_client)
    name, namespace = kube.site.units, kube.site.namespace
    body = {"metadata": {"name": name}, "rules": rules(name)}
    try:
        if unless(HTTPStatus.NOT_FOUND, lambda: api.read_namespaced_role(name, namespace)) is None:
            api.create_namespaced_role(namespace, body, dry_run="All")
    except ApiException as error:
        said = " ".join(told_by(error).split())
        if _NOT_HELD in said:
            binding = ("rolebinding", f"pulumi-{name}", "--clusterrole=view", "--user=USER")
            return (
                f"Kubernetes would refuse Role {name} (context {kube.site.context}, namespace "
                f"{namespace}): {said}. Let an admin grant that by RBAC, to this user or its "
                f"group: {kube.site.kubectl('create', *binding)}"
            )
    return None
