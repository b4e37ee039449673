"""API servers whose certificates lack what Python asks for from 3.13 on, and no other client does.

A real TLS server on loopback; the newer Python is its two defaults, set here.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import certifi
import pytest
import urllib3.util.ssl_
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from kubernetes.config import kube_config

from components.kube.client import Kube
from components.kube.errors import NoExecError, plain_errors
from components.progress import SequenceError
from components.site import Site
from containers.etcd.supervisor import kubernetes
from tests.support import websocket
from tests.support.dynamic import SITE
from tests.support.kubernetes_api import kubeconfig

UNITS = {"metadata": {"name": "etcd"}, "spec": {"replicas": 3}}
VERSION = dict.fromkeys(
    ["buildDate", "compiler", "gitCommit", "gitTreeState", "gitVersion", "goVersion", "platform"],
    "",
) | {"major": "1", "minor": "35"}


@dataclass(frozen=True)
class Api:
    port: int
    authority: Path

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """It answers as Kubernetes, with a certificate as EKS' authority makes them: without an
    Authority Key Identifier."""

    class Handler(BaseHTTPRequestHandler):
        # As a real one, and 1.0 has no upgrade.
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if "Upgrade" in self.headers:
                websocket.run(self, "done")
                return
            body = json.dumps(VERSION if self.path == "/version/" else UNITS).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...

    authority, key, leaf = (tmp_path / name for name in ("ca.crt", "leaf.key", "leaf.crt"))
    issuer, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    pem = serialization.Encoding.PEM
    known = certificate("kubernetes", issuer, issuer, x509.BasicConstraints(True, None))
    name = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    authority.write_bytes(known.public_bytes(pem))
    leaf.write_bytes(certificate("kube-apiserver", own, issuer, name).public_bytes(pem))
    form = serialization.PrivateFormat.PKCS8
    key.write_bytes(own.private_bytes(pem, form, serialization.NoEncryption()))

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Api(server.server_port, authority)
    server.shutdown()
    server.server_close()
    thread.join()


def certificate(
    subject: str,
    own: ec.EllipticCurvePrivateKey,
    issuer: ec.EllipticCurvePrivateKey,
    extension: x509.ExtensionType,
) -> x509.Certificate:
    def named(name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(named(subject))
        .issuer_name(named("kubernetes"))
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        .sign(issuer, hashes.SHA256())
    )


@pytest.fixture
def newer_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """What 3.13 has changed: `ssl.create_default_context`, and by that urllib3."""
    made = ssl.create_default_context

    def stricter(*args: Any, **kwargs: Any) -> ssl.SSLContext:
        context = made(*args, **kwargs)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", stricter)
    monkeypatch.setattr(urllib3.util.ssl_, "sys", SimpleNamespace(version_info=(3, 13)))


def reached(url: str, **cluster: Any) -> Kube:
    found = json.loads(kubeconfig(url))
    found["clusters"][0]["cluster"] |= cluster
    return Kube(json.dumps(found), Site(**SITE), patient=False)


def asked(url: str, **cluster: Any) -> Any:
    with plain_errors(Site(**SITE)):
        return reached(url, **cluster).version()


def run(url: str, **cluster: Any) -> str:
    return reached(url, **cluster).exec("etcd-0", "etcdctl", seconds=1)


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.usefixtures("newer_python")
def test_a_cluster_that_kubectl_reaches_is_reached(api: Api) -> None:
    assert asked(api.url, **{"certificate-authority": str(api.authority)}).minor == "35"
    assert asked(api.url, **{"insecure-skip-tls-verify": True}).minor == "35"


@pytest.mark.usefixtures("newer_python")
def test_a_member_reaches_it_too(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("token")
    monkeypatch.setattr(kubernetes, "_ACCOUNT", tmp_path)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(api.port))
    assert kubernetes.wants("etcd", "etcd", 2) is True
    assert kubernetes.wants("etcd", "etcd", 3) is False


def test_a_cluster_that_another_authority_has_signed_is_not_believed(
    api: Api, tmp_path: Path
) -> None:
    other = tmp_path / "other.crt"
    key = ec.generate_private_key(ec.SECP256R1())
    made = certificate("kubernetes", key, key, x509.BasicConstraints(True, None))
    other.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    with pytest.raises(SequenceError, match="certificate verify failed"):
        asked(api.url, **{"certificate-authority": str(other)})


def test_where_no_authority_is_named_the_systems_own_are_believed(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by kubectl: a company's own authority is there. By a variable that OpenSSL and Go read."""
    monkeypatch.setenv("SSL_CERT_FILE", str(api.authority))
    assert asked(api.url).minor == "35"
    assert run(api.url) == "done"


def test_where_one_is_named_the_systems_own_are_not(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(api.authority))
    text = {"certificate-authority": certifi.where()}
    with pytest.raises(SequenceError, match="certificate verify failed"):
        asked(api.url, **text)
    with pytest.raises(NoExecError, match="certificate verify failed"):
        run(api.url, **text)


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.usefixtures("newer_python")
def test_a_command_is_run_with_the_same_trust(api: Api) -> None:
    for named in (
        {"certificate-authority": str(api.authority)},
        {"insecure-skip-tls-verify": True},
        {"certificate-authority": str(api.authority), "tls-server-name": "127.0.0.1"},
    ):
        assert run(api.url, **named) == "done"


def test_what_is_no_certificate_is_told_as_the_kubeconfigs(api: Api) -> None:
    text = base64.b64encode(b"no certificate").decode()
    with pytest.raises(SequenceError, match="certificates or its key are none") as failure:
        asked(api.url, **{"certificate-authority-data": text})
    assert failure.value.next_step.startswith("correct what the context has there")


def test_two_that_connect_at_the_same_time_have_their_certificates(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The official client writes them to files, and knows a file's name before it is written."""

    begun, joined, ended = (threading.Event() for _ in range(3))

    def slowly(name: str, mode: str) -> Any:
        begun.set()
        joined.wait(60)
        # In vain where the other one waits for this one, as it is to.
        ended.wait(1)
        return Path(name).open(mode)

    monkeypatch.setattr(kube_config, "open", slowly, raising=False)
    data = base64.b64encode(api.authority.read_bytes()).decode()

    def ask() -> Any:
        return asked(api.url, **{"certificate-authority-data": data})

    def join() -> Any:
        joined.set()
        try:
            return ask()
        finally:
            ended.set()

    with ThreadPoolExecutor() as pool:
        first = pool.submit(ask)
        assert begun.wait(60)
        both = [first, pool.submit(join)]
    assert [found.result().minor for found in both] == ["35", "35"]
