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
from contextlib import suppress
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
from urllib3 import HTTPHeaderDict
from urllib3.util import parse_url
from urllib3.util.ssl_ import create_urllib3_context
from websocket import WebSocket

from components.kube import impersonation, login
from components.kube.retries import Retries
from components.progress import SequenceError

_LOADING = Lock()

ANSWER_SECONDS = (5, 30)
"""To connect, and between two pieces of an answer: an API that is cut off says nothing at all."""

COMMAND_SECONDS = 10
"""To reach a command in a pod, by way of its kubelet, and between two pieces of what it says."""


def connected(kubeconfig: str, context: str | None, *, patient: bool) -> Client:
    """The client for one context, by default the current one. It has asked nobody yet.

    `patient`: bear with an API that is away for a moment. Raises SequenceError for a kubeconfig or
    a proxy that cannot be used.
    """
    # Any: its fields are typed by their defaults.
    configuration: Any = client.Configuration()
    if patient:
        configuration.retries = Retries.about_a_minute()
    try:
        found = yaml.safe_load(kubeconfig)
        # One after the other: it hands out the name of a file with certificates, by their content,
        # before they are in it.
        with _LOADING, login.heard() as words:
            config.load_kube_config_from_dict(
                found, context=context, client_configuration=configuration
            )
        name = context or str(found["current-context"])
        user = _part(found, name, "user")
        failed = login.failed(name, user, configuration, words)
        configuration.acts_as = impersonation.headers(user)
        named = str(_part(found, name, "cluster").get("proxy-url") or "")
        _go_through(configuration, named, name)
        return Client(configuration, failed)
    except OSError as error:
        raise SequenceError(
            f"the kubeconfig cannot be used: its certificates or its key are none ({error})",
            "correct what the context has there, then pulumi up",
        ) from None
    except (config.ConfigException, yaml.YAMLError) as error:
        raise SequenceError(
            f"the kubeconfig cannot be used: {error}",
            "pulumi config set --path etcd:kubernetes.context NAME",
        ) from None


def _part(kubeconfig: Mapping[str, Any], context: str, part: str) -> Mapping[str, Any]:
    """The `cluster` or `user` of a context, in a kubeconfig that is in order; empty for none."""
    (name,) = [c["context"].get(part) for c in kubeconfig["contexts"] if c["name"] == context]
    entries = kubeconfig.get(f"{part}s") or []
    return next((entry[part] for entry in entries if entry["name"] == name), None) or {}


def _go_through(configuration: Any, named: str, context: str) -> None:
    """`named`: the proxy by the kubeconfig, if any. Raises SequenceError for a proxy of a kind that
    cannot be used."""
    environment = urllib.request.getproxies_environment()
    proxy = proxy_of(configuration.host, named, environment)
    if proxy is not None and not _is_usable(proxy):
        kind, mark, rest = proxy.rpartition("://")
        variable = f"{urlsplit(configuration.host).scheme.upper()}_PROXY"
        setting = f"proxy-url of context {context}" if named else f"the variable {variable}"
        raise SequenceError(
            # Without its user.
            f"the proxy to Kubernetes cannot be used: {setting} is "
            f"{kind}{mark}{rest.rpartition('@')[2]}, and is to begin with http:// or https://",
            f"correct {setting}, then pulumi up",
        )
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
    that are reached without one. Nobody but this machine reaches its own loopback. Without a scheme
    it is one of http there, in a kubeconfig it is wrong (client-go: parseProxyURL).
    """
    if named:
        return named
    address = urlsplit(server)
    host = address.hostname or ""
    if _is_loopback(host) or should_bypass_proxies(server, no_proxy=environment.get("no", "")):
        return None
    given = environment.get(address.scheme)
    return given if given is None or "://" in given else f"http://{given}"


def _is_usable(proxy: str) -> bool:
    try:
        address = parse_url(proxy)
    except urllib3.exceptions.LocationParseError:
        return False
    return address.scheme in ("http", "https") and bool(address.host)


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

    `failed`: the login, raised at every question to a cluster that answers at all. What is to
    become of one that does not is none of its business.
    """

    def __init__(self, configuration: Any, failed: SequenceError | None = None) -> None:
        super().__init__(configuration)
        self._failed = failed
        pool: dict[str, Any] = self.rest_client.pool_manager.connection_pool_kw
        pool["ssl_context"] = _trust(pool)
        if not configuration.ssl_ca_cert:
            # As kubectl, which believes the system's authorities, a company's own among them. Those
            # that come with the official client stay: Python from python.org finds none on macOS.
            pool["ssl_context"].load_default_certs()
        configuration.pools = self.rest_client.pool_manager

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        if self._failed is None:
            return self._ask(method, url, *args, **kwargs)
        with suppress(ApiException):
            self._ask("GET", f"{self.configuration.host}/version")
        raise self._failed

    def _ask(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        kwargs["_request_timeout"] = kwargs.get("_request_timeout") or ANSWER_SECONDS
        # Of several headers with one name a plain mapping keeps the last.
        kwargs["headers"] = HTTPHeaderDict(kwargs.get("headers") or {})
        configuration: Any = self.configuration
        for name, value in configuration.acts_as:
            kwargs["headers"].add(name, value)
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


def open_command(
    configuration: Any, url: str, headers: Mapping[str, str] | None = None
) -> WebSocket:
    """The way to a command in a pod: with the same proxy and trust as all else that is asked.

    The official client's own takes NO_PROXY before a kubeconfig's `proxy-url`, a proxy of the
    environment to this very machine, and never the system's authorities. It gives itself no
    time-out either, nor does the API server on its way to a kubelet that stands still, while its
    node takes every connection.
    """
    pools, target = configuration.pools, parse_url(url.replace("ws", "http", 1))
    # Any: the pools hand out whole requests alone, and this connection becomes a websocket.
    connection: Any = pools.connection_from_url(str(target))._new_conn()
    connection.timeout = COMMAND_SECONDS
    if pools.proxy:
        port = target.port or {"http": 80, "https": 443}[str(target.scheme)]
        connection.set_tunnel(target.host, port, pools.proxy_headers, pools.proxy.scheme)
    connection.connect()
    given = {"sec-websocket-protocol": "v4.channel.k8s.io", **(headers or {})}
    sent = [f"{k}: {given[k]}" for k in ("authorization", "sec-websocket-protocol") if k in given]
    sent += [f"{name}: {value}" for name, value in configuration.acts_as]
    websocket = WebSocket(skip_utf8_validation=False)
    websocket.connect(url, header=sent, socket=connection.sock)
    return websocket


# It opens its own, and lets nobody hand it another.
ws_client.create_websocket = open_command
