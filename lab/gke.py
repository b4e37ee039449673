"""What lets the GKE stack run on the lab: `.lab/gke/env`, a shell file of its own.

Only where the official gcp plugin cannot be had, and only for who asks for it by sourcing that
file: `.lab/env` leads neither to the stand-in nor to what makes the lab look like GKE. That is

- the stand-in of the gcp plugin (lab/plugins/gcp), which hands back the lab's API server;
- `gke-gcloud-auth-plugin`, which hands out the lab's admin certificate instead of a Google token;
- the lab's certificate authority among those that are trusted without being named, since nobody
  names one for GKE's DNS endpoint: Google's is a public one. Go reads SSL_CERT_FILE for that
  (crypto/x509/root_unix.go). The Python client of Kubernetes reads no variable: it takes the file
  that the package certifi names (kubernetes/client/rest.py, stream/ws_client.py). So a package of
  that name comes first on PYTHONPATH.
"""

import base64
import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import certifi
import yaml

from lab import pulumi_cli, tools
from lab.controlplane import Programs
from lab.errors import Report
from lab.registry import REGISTRY_PORT
from lab.state import Lab


def folder(lab: Lab) -> Path:
    return lab.files / "gke"


def write(lab: Lab, programs: Programs, report: Report) -> None:
    """Write `.lab/gke`, but for the stand-in's cloud in it, which stays as it is."""
    if pulumi_cli.has_official_plugins():
        return
    own = folder(lab)
    admin = yaml.safe_load(lab.kubeconfig.read_text())
    for name in ("bin", "python"):
        shutil.rmtree(own / name, ignore_errors=True)
    (own / "bin").mkdir(parents=True)
    (own / "python" / "certifi").mkdir(parents=True)
    credential = own / "credential.json"
    credential.touch(mode=0o600)
    credential.write_text(json.dumps(exec_credential(admin["users"][0]["user"])))
    plugin = own / "bin" / "gke-gcloud-auth-plugin"
    plugin.write_text(f"#!/bin/sh\nexec cat {shlex.quote(str(credential))}\n")
    plugin.chmod(0o755)
    authority = base64.b64decode(admin["clusters"][0]["cluster"]["certificate-authority-data"])
    trusted = own / "trusted.pem"
    trusted.write_bytes(Path(certifi.where()).read_bytes() + b"\n" + authority)
    (own / "python" / "certifi" / "__init__.py").write_text(certifi_package(trusted))
    stand_in = {
        "GCP_CLOUD": str(own / "cloud"),
        "GCP_KUBECONFIG": str(lab.kubeconfig),
        "GCP_KUBECTL": str(programs["kubectl"]),
        "GCP_REGISTRY": f"localhost:{REGISTRY_PORT}",
    }
    variables = tools.pulumi_environment(own / "pulumi-home", report, gcp=stand_in)
    (own / "env").write_text(environment_file(lab, variables))


def exec_credential(user: dict[str, Any]) -> dict[str, Any]:
    """Return what a credential plugin answers for a kubeconfig's user with a certificate."""
    status = {
        "clientCertificateData": base64.b64decode(user["client-certificate-data"]).decode(),
        "clientKeyData": base64.b64decode(user["client-key-data"]).decode(),
    }
    kind = {"apiVersion": "client.authentication.k8s.io/v1beta1", "kind": "ExecCredential"}
    return {**kind, "status": status}


def certifi_package(trusted: Path) -> str:
    """Return a package that answers as certifi does, with other certificates."""
    return (
        '"""certifi for the GKE stack on the lab (lab/gke.py)."""\n\n\n'
        f"def where():\n    return {str(trusted)!r}\n\n\n"
        "def contents():\n    with open(where(), encoding='ascii') as file:\n"
        "        return file.read()\n"
    )


def environment_file(lab: Lab, variables: dict[str, str]) -> str:
    """Return the shell file after which a stack with gke.create runs on this lab."""
    own = folder(lab)
    settings = {**variables, "SSL_CERT_FILE": str(own / "trusted.pem")}
    lines = [f"export {key}={shlex.quote(value)}" for key, value in settings.items()]
    python, programs = (shlex.quote(str(own / name)) for name in ("python", "bin"))
    return "\n".join(
        [
            f"# For a stack with gke.create, on the lab named {lab.name} and a stand-in of Google.",
            f". {shlex.quote(str(lab.files / 'env'))}",
            *lines,
            f'export PYTHONPATH={python}"${{PYTHONPATH:+:$PYTHONPATH}}"',
            f'export PATH={programs}:"$PATH"',
            "",
        ]
    )
