"""For a Kubernetes cluster of one's own: Pulumi where none is installed, and no lab."""

import os
import shlex
from pathlib import Path

from lab import tools
from lab.errors import Report


def prepare(checkout: Path, *, report: Report = tools.say) -> Path:
    """Write `.lab/own/env`, the shell file after which `pulumi` is there; return its path.

    Where Pulumi and its plugins are installed, or fetched by it, the file sets nothing. A user who
    is logged in stays so, with backend and passphrase. Who is not gets a folder as the backend,
    unless the environment names one.
    """
    folder = checkout / ".lab" / "own"
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["# For a Kubernetes cluster of one's own; KUBECONFIG stays as it is."]
    variables = tools.pulumi_environment(folder / "pulumi-home", report)
    if variables or not tools.installed("pulumi"):
        variables["PULUMI_SKIP_UPDATE_CHECK"] = "1"
        lines += [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
        lines += _login(folder)
        programs = tools.ensure(["pulumi", "kubectl"], report)
        folders = sorted({str(path.parent) for path in programs.values()})
        lines.append(f'export PATH="$PATH:{":".join(folders)}"')
    env = folder / "env"
    env.write_text("\n".join([*lines, ""]))
    return env


def _login(folder: Path) -> list[str]:
    """Keep the user's login, which another home would hide; make a backend where there is none."""
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    credentials = Path(os.environ.get("PULUMI_CREDENTIALS_PATH") or home)
    if (credentials / "credentials.json").exists():
        return [f"export PULUMI_CREDENTIALS_PATH={shlex.quote(str(credentials))}"]
    if os.environ.get("PULUMI_ACCESS_TOKEN"):
        return []
    state = folder / "state-backend"
    state.mkdir(exist_ok=True)
    return [
        f'export PULUMI_BACKEND_URL="${{PULUMI_BACKEND_URL:-file://{state}?metadata=skip}}"',
        '[ -n "${PULUMI_CONFIG_PASSPHRASE_FILE:-}" ] ||'
        ' export PULUMI_CONFIG_PASSPHRASE="${PULUMI_CONFIG_PASSPHRASE-}"',
    ]
