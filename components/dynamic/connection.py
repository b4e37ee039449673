"""How the Kubernetes API is reached: with the kubeconfig's credentials, and through the proxy that
kubectl would take.

The official client alone takes HTTP_PROXY for any address, knows no NO_PROXY (kubernetes-client/
python#2460) and no `proxy-url` (#2679).
"""

from __future__ import annotations

import ipaddress
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import urllib3
import yaml
from kubernetes import client, config
from requests.utils import should_bypass_proxies

from components.dynamic.patience import Client, Patience
from components.dynamic.progress import SequenceError


def connected(kubeconfig: str, context: str | None, *, patient: bool) -> Client:
    """The client for one context, by default the current one. It has asked nobody yet.

    `patient`: bear with an API that is away for a moment. Raises SequenceError for a kubeconfig
    that cannot be used.
    """
    # Any: its fields are typed by their defaults.
    configuration: Any = client.Configuration()
    if patient:
        configuration.retries = Patience.about_a_minute()
    try:
        found = yaml.safe_load(kubeconfig)
        config.load_kube_config_from_dict(
            found, context=context, client_configuration=configuration
        )
        _go_through(configuration, _named(found, context))
        return Client(configuration)
    except (config.ConfigException, yaml.YAMLError, urllib3.exceptions.URLSchemeUnknown) as error:
        raise SequenceError(
            f"the kubeconfig cannot be used: {error}",
            "pulumi config set --path etcd:kubernetes.context NAME",
        ) from None


def _named(kubeconfig: Mapping[str, Any], context: str | None) -> str:
    """The proxy that a kubeconfig, which is in order, names for a context; empty for none."""
    contexts = {c["name"]: c["context"] for c in kubeconfig["contexts"]}
    clusters = {c["name"]: c["cluster"] for c in kubeconfig["clusters"]}
    cluster = clusters[contexts[context or kubeconfig["current-context"]]["cluster"]]
    return str(cluster.get("proxy-url") or "")


def _go_through(configuration: Any, named: str) -> None:
    environment = urllib.request.getproxies_environment()
    proxy = proxy_of(configuration.host, named, environment)
    configuration.proxy, configuration.no_proxy = proxy, None
    user = urlsplit(proxy or "")
    if user.username:
        password = unquote(user.password or "")
        configuration.proxy_headers = urllib3.make_headers(
            proxy_basic_auth=f"{unquote(user.username)}:{password}"
        )


def proxy_of(server: str, named: str, environment: Mapping[str, str]) -> str | None:
    """The proxy to a server, as Go decides it (golang.org/x/net/http/httpproxy); None for none.

    `named`: by the kubeconfig, which comes first. `environment`: by scheme, and `no` for the hosts
    that are reached without one. Nobody but this machine reaches its own loopback.
    """
    if named:
        return named
    address = urlsplit(server)
    host = address.hostname or ""
    if _is_loopback(host) or should_bypass_proxies(server, no_proxy=environment.get("no", "")):
        return None
    return environment.get(address.scheme)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
