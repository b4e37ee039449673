"""Which of Google's APIs a project has enabled, asked with the user's own credentials."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from typing import Any

from components.progress import Progress, SequenceError

PLUGIN = "gke-gcloud-auth-plugin"
"""By which kubectl and others log in to a GKE cluster."""

SERVICE_USAGE = "https://serviceusage.googleapis.com"

_ASKED_BY_NOBODY = {
    "apiVersion": "client.authentication.k8s.io/v1beta1",
    "kind": "ExecCredential",
    "spec": {"interactive": False},
}
"""What kubectl would tell the plugin; some versions insist on it."""

SECONDS = 20.0


def require(project: str, apis: Sequence[str]) -> None:
    """Raise SequenceError, with the command that enables them, if an API is known to be off.

    Where nobody can be asked (no credentials that are a token, no answer, no right to ask), it says
    so and returns: Google's own refusal will name the API then.
    """
    progress = Progress("requirements", timeout_seconds=0)
    found = _enabled(project, apis)
    if isinstance(found, str):
        progress.say(f"APIs of project {project} were not checked: {found}")
        return
    off = [name for name in apis if name not in found]
    if off:
        raise SequenceError(
            f"project {project} has these APIs not enabled: {', '.join(off)}",
            f"gcloud services enable {' '.join(off)} --project {project}",
        )


def _enabled(project: str, apis: Sequence[str]) -> set[str] | str:
    """The enabled ones among `apis`, or why they are not known."""
    token = _token()
    if token is None:
        return f"{PLUGIN} gives no token"
    names = [("names", f"projects/{project}/services/{name}") for name in apis]
    request = urllib.request.Request(
        f"{SERVICE_USAGE}/v1/projects/{project}/services:batchGet?{urllib.parse.urlencode(names)}",
        headers={"Authorization": f"Bearer {token}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            services: list[Any] = json.load(answer).get("services", [])
    except urllib.error.HTTPError as error:
        return f"{SERVICE_USAGE} answers {error.code} {error.reason}"
    except (OSError, ValueError, AttributeError) as error:
        return f"{SERVICE_USAGE} does not answer: {error}"
    return {s["name"].rpartition("/")[2] for s in services if s.get("state") == "ENABLED"}


def _token() -> str | None:
    """The access token that kubectl would get; None where there is none."""
    try:
        done = subprocess.run(
            [PLUGIN],
            env={**os.environ, "KUBERNETES_EXEC_INFO": json.dumps(_ASKED_BY_NOBODY)},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        )
        return json.loads(done.stdout)["status"].get("token")
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError, AttributeError):
        return None
