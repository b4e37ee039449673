"""The shell file for the GKE stack on the lab, and what it makes of the programs that it starts."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lab import gke, pulumi_cli, tools
from lab.errors import Report
from lab.state import Lab

_PEM = serialization.Encoding.PEM


class Kubernetes:
    """An API server on this machine, whose certificate no public authority has signed."""

    def __init__(self, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lab")])
        now = datetime.now(UTC)
        here = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(here, critical=False)
            .sign(key, hashes.SHA256())
        )
        self.certificate = certificate.public_bytes(_PEM)
        self.key = key.private_bytes(
            _PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / "server.pem").write_bytes(self.certificate + self.key)
        self.server = HTTPServer(("127.0.0.1", 0), _Version)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server.server_port}"

    def admin(self) -> dict[str, Any]:
        """A kubeconfig as the lab writes it; the certificate does for the admin's too."""
        authority, key = (base64.b64encode(b).decode() for b in (self.certificate, self.key))
        user = {"client-certificate-data": authority, "client-key-data": key}
        cluster = {"server": self.url, "certificate-authority-data": authority}
        return {"clusters": [{"cluster": cluster}], "users": [{"user": user}]}


class _Version(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"major": "1", "minor": "34", "gitVersion": "v1.34.3"} | _REST).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the refused handshakes are the test's own."""


_REST = dict.fromkeys(
    ("buildDate", "compiler", "gitCommit", "gitTreeState", "goVersion", "platform"), "x"
)


@pytest.fixture
def kubernetes(tmp_path: Path) -> Iterator[Kubernetes]:
    found = Kubernetes(tmp_path)
    yield found
    found.server.shutdown()


@pytest.fixture
def lab(tmp_path: Path, kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A lab of which there is the kubeconfig alone, where nothing official can be had."""

    def environment(
        home: Path, report: Report, gcp: dict[str, str] | None = None
    ) -> dict[str, str]:
        assert gcp
        return {"PULUMI_HOME": str(home), **gcp}

    monkeypatch.setattr(pulumi_cli, "has_official_plugins", lambda: False)
    monkeypatch.setattr(tools, "pulumi_environment", environment)
    lab = Lab("t-gke", tmp_path)
    lab.files.mkdir(parents=True)
    lab.kubeconfig.write_text(yaml.safe_dump(kubernetes.admin()))
    (lab.files / "env").write_text("export FROM_THE_LAB=yes\n")
    return lab


def write(lab: Lab) -> None:
    gke.write(lab, {"kubectl": Path("/programs/kubectl")}, lambda _: None)


def inside(lab: Lab, command: str) -> subprocess.CompletedProcess[str]:
    shell = f". {gke.folder(lab) / 'env'} && {command}"
    return subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=False)


def test_where_the_official_plugin_can_be_had_nothing_is_written(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulumi_cli, "has_official_plugins", lambda: True)
    write(lab)
    assert not gke.folder(lab).exists()


def test_the_shell_file_adds_to_that_of_the_lab(lab: Lab) -> None:
    write(lab)
    done = inside(lab, 'echo "$FROM_THE_LAB $PULUMI_HOME"; command -v gke-gcloud-auth-plugin')
    assert done.stdout.split() == [
        "yes",
        str(gke.folder(lab) / "pulumi-home"),
        str(gke.folder(lab) / "bin" / "gke-gcloud-auth-plugin"),
    ]


def test_the_stand_in_is_told_where_the_lab_is(lab: Lab) -> None:
    write(lab)
    done = inside(lab, 'echo "$GCP_KUBECONFIG $GCP_REGISTRY $GCP_CLOUD"')
    assert done.stdout.split() == [
        str(lab.kubeconfig),
        "localhost:5000",
        str(gke.folder(lab) / "cloud"),
    ]


def test_the_credential_plugin_answers_with_the_admins_certificate(
    lab: Lab, kubernetes: Kubernetes
) -> None:
    write(lab)
    answer = json.loads(inside(lab, "gke-gcloud-auth-plugin").stdout)
    assert answer["apiVersion"] == "client.authentication.k8s.io/v1beta1"
    assert answer["status"]["clientKeyData"] == kubernetes.key.decode()
    assert (gke.folder(lab) / "credential.json").stat().st_mode & 0o077 == 0


_CLIENT = """\
import sys
from kubernetes import client, config
user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1beta1", "provideClusterInfo": True,
                 "command": "gke-gcloud-auth-plugin", "installHint": "x"}}
api = config.new_client_from_config_dict({
    "apiVersion": "v1", "kind": "Config", "current-context": "c",
    "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
    "clusters": [{"name": "c", "cluster": {"server": sys.argv[1]}}],
    "users": [{"name": "c", "user": user}]})
print(client.VersionApi(api).get_code().git_version, bool(api.configuration.cert_file))
"""


def test_the_python_client_trusts_the_lab_without_being_given_its_authority(
    lab: Lab, kubernetes: Kubernetes, tmp_path: Path
) -> None:
    write(lab)
    (tmp_path / "client.py").write_text(_CLIENT)
    command = f"{sys.executable} {tmp_path}/client.py {kubernetes.url}"
    done = inside(lab, command)
    assert done.stdout.split() == ["v1.34.3", "True"], done.stderr[-2000:]
    done = inside(lab, f"unset PYTHONPATH && {command}")
    assert "CERTIFICATE_VERIFY_FAILED" in done.stderr, "else this test proves nothing"


def test_public_authorities_are_trusted_as_before(lab: Lab, kubernetes: Kubernetes) -> None:
    import certifi  # noqa: PLC0415 - the real one, beside the one under test

    write(lab)
    trusted = (gke.folder(lab) / "trusted.pem").read_bytes()
    assert Path(certifi.where()).read_bytes() in trusted
    assert kubernetes.certificate in trusted


def test_the_cloud_outlives_a_second_writing(lab: Lab) -> None:
    write(lab)
    (gke.folder(lab) / "cloud").mkdir()
    (gke.folder(lab) / "cloud" / "cloud.json").write_text("{}")
    write(lab)
    assert (gke.folder(lab) / "cloud" / "cloud.json").exists()
