"""The lab's own use of its Kubernetes API: wait for it, and put the first objects there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from kubernetes import client, config
from urllib3.exceptions import HTTPError

from lab.certificates import NODE_NAME
from lab.processes import wait
from lab.state import Lab
from lab.volumes import storage_class

_ANSWER_SECONDS = 5


def connect(kubeconfig: Path) -> client.ApiClient:
    """Return a client that fails at once instead of trying again behind the caller's back."""
    settings: Any = client.Configuration()  # Any: typed by its defaults
    config.load_kube_config(str(kubeconfig), client_configuration=settings)
    settings.retries = False
    # The host reaches the node directly, whatever proxy the environment names.
    settings.proxy = None
    return client.ApiClient(settings)


def as_json(api: client.ApiClient, answer: object) -> dict[str, Any]:
    """Return an object of the API as it is on the wire."""
    return cast("dict[str, Any]", api.sanitize_for_serialization(answer))


def wait_ready(lab: Lab, api: client.ApiClient) -> None:
    """Wait until the API server says that it is ready."""
    wait(lab, "kube-apiserver", lambda: api_problem(api))


def wait_node_ready(lab: Lab, api: client.ApiClient) -> None:
    """Wait until pods can run: node ready and untainted, account for pods there."""
    # After two minutes without an API it was seen to take more than one: the kubelet pauses longer
    # and longer before it asks again.
    wait(lab, "kubelet", lambda: node_problem(api), timeout_seconds=150)


def api_problem(api: client.ApiClient) -> str:
    """Return why the API server is not ready, or nothing."""
    return _problem(lambda: _readyz(api))


def node_problem(api: client.ApiClient) -> str:
    """Return why a pod could not run now, or nothing."""
    return _problem(lambda: _node(api))


def problem(lab: Lab, check: Callable[[client.ApiClient], str]) -> str:
    """Return what a check of this module finds in a lab that may have got nowhere yet."""
    try:
        return check(connect(lab.admin_config))
    except config.ConfigException:
        return "it was never brought up"


def create_first_objects(api: client.ApiClient) -> None:
    """Create what kubeadm and a cloud would have put into a new cluster."""
    client.StorageV1Api(api).create_storage_class(storage_class())
    # The API server's certificate towards the kubelet (exec, logs) is of this group.
    _bind(api, "kubeadm:cluster-admins", "cluster-admin")
    # The Node authorizer learns of a pod later than the kubelet, which then is refused its own
    # pod's volumes and tries again after 10 to 15 s; with one node there is nothing to keep apart.
    _bind(api, "system:nodes", "system:node")


def _bind(api: client.ApiClient, group: str, role: str) -> None:
    """Give a cluster role to a group, under the group's name."""
    rbac = "rbac.authorization.k8s.io"
    binding: dict[str, Any] = {
        "metadata": {"name": group},
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": rbac, "kind": "Group", "name": group}],
    }
    client.RbacAuthorizationV1Api(api).create_cluster_role_binding(binding)


def _readyz(api: client.ApiClient) -> str:
    api.call_api("/readyz", "GET", _preload_content=False, _request_timeout=_ANSWER_SECONDS)
    return ""  # any other status than 200 is an ApiException


def _node(api: client.ApiClient) -> str:
    core = client.CoreV1Api(api)
    node = as_json(api, core.read_node(NODE_NAME, _request_timeout=_ANSWER_SECONDS))
    for condition in node["status"].get("conditions") or []:
        if condition["type"] == "Ready" and condition["status"] != "True":
            return condition["message"]
    for taint in node["spec"].get("taints") or []:
        # Any other was put there on purpose, as a node pool does (lab/plugins/gcp/nodes.py).
        if taint["key"].startswith("node.kubernetes.io/"):
            return f"taint {taint['key']}"
    core.read_namespaced_service_account("default", "default", _request_timeout=_ANSWER_SECONDS)
    return ""


def _problem(check: Callable[[], str]) -> str:
    try:
        return check()
    except client.ApiException as error:
        return f"HTTP {error.status} {error.reason}"
    except (HTTPError, OSError) as error:
        return str(error).partition(": ")[2] or str(error)
