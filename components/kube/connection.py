"""How the Kubernetes API is reached: with the kubeconfig's credentials, through the proxy that
kubectl would take, with an end to every wait, and without belief in what answers in its place.

The official client alone takes HTTP_PROXY for any address, knows no NO_PROXY (kubernetes-client/
python#2460) and no `proxy-url` (#2679).
"""

from __future__ import annotations

import ipaddress
import json
import ssl
import urllib.request
from collections.abc import Collection, Mapping
from http import HTTPStatus
from threading import Lock
from typing import Any
from urllib.parse import unquote, urlsplit

import urllib3
import yaml
from kubernetes import client, config
from kubernetes.client import ApiException
from kubernetes.stream import ws_client
from requests.utils import should_bypass_proxies
from urllib3.util.ssl_ import create_urllib3_context
from websocket import WebSocket

from components.kube.patience import Patience
from components.progress import SequenceError

_LOADING = Lock()

ANSWER_SECONDS = (5, 30)
"""To connect, and between two pieces of an answer: an API that is cut off says nothing at all."""

COMMAND_SECONDS = 10
"""To reach a command in a pod, by way of its kubelet, and between two pieces of what it says."""


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
        # One after the other: it hands out the name of a file with certificates, by their content,
        # before they are in it.
        with _LOADING:
            config.load_kube_config_from_dict(
                found, context=context, client_configuration=configuration
            )
        _go_through(configuration, _named(found, context))
        return Client(configuration)
    except OSError as error:
        raise SequenceError(
            f"the kubeconfig cannot be used: its certificates or its key are none ({error})",
            "correct what the context has there, then pulumi up",
        ) from None
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


class Client(client.ApiClient):
    """The official client, that never waits for an answer without an end, and believes Kubernetes
    alone.

    A proxy before an API server that is away answers, too, with 404 or with a page of its own; and
    what follows from a 404 may be that data goes. Raises HTTPError there, as where nobody answers.
    """

    def __init__(self, configuration: Any) -> None:
        super().__init__(configuration)
        pool: dict[str, Any] = self.rest_client.pool_manager.connection_pool_kw
        pool["ssl_context"] = _trust(pool)

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        kwargs["_request_timeout"] = kwargs.get("_request_timeout") or ANSWER_SECONDS
        path = url.removeprefix(self.configuration.host)
        try:
            answer = super().request(method, url, *args, **kwargs)
        except ApiException as error:
            names = path.strip("/").split("/")
            if error.status == HTTPStatus.NOT_FOUND and not is_missed(error.body, names):
                raise _stranger(error.status, method, path) from None
            raise
        if answer.data[:1] not in ("{", b"{"):  # all that is asked for here is an object
            raise _stranger(answer.status, method, path)
        return answer


def _trust(pool: dict[str, Any]) -> ssl.SSLContext:
    """What all connections of a client's pool have in common, by the files that it names.

    Its own certificate is taken from the pool: each connection would else load it again, into what
    the others use. The authority stays, for a proxy. Raises OSError for files that are none.
    """
    trust = create_urllib3_context(cert_reqs=pool["cert_reqs"])
    # From Python 3.13 on certificates must have what those of many clusters lack, and what neither
    # kubectl nor Pulumi asks for (kubernetes-client/python#2394).
    trust.verify_flags &= ~ssl.VERIFY_X509_STRICT
    trust.load_verify_locations(pool["ca_certs"])
    certificate, key = pool.pop("cert_file"), pool.pop("key_file")
    if certificate:
        trust.load_cert_chain(certificate, key)
    return trust


def _stranger(status: int, method: str, path: str) -> urllib3.exceptions.HTTPError:
    said = f"{status} to {method} {path}, and that is no word of Kubernetes"
    return urllib3.exceptions.HTTPError(said)


def is_missed(said: str | bytes | None, names: Collection[str]) -> bool:
    """Whether Kubernetes says that one of these names is not there. Pure.

    By the Status that it answers with (API conventions: response status kind).
    """
    try:
        status = json.loads(said or "")
        return status["reason"] == "NotFound" and status["details"]["name"] in names
    except (ValueError, KeyError, TypeError):
        return False


class CommandSocket(WebSocket):
    """To a command in a pod. The official client gives it no time-out, nor does the API server on
    its way to a kubelet that stands still, while its node takes every connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.settimeout(COMMAND_SECONDS)


# It makes its own, and lets nobody hand it another.
ws_client.WebSocket = CommandSocket
