"""For a Kubernetes cluster of one's own: Pulumi where none is installed, and no lab."""

import shlex
from pathlib import Path

from lab import tools
from lab.errors import Report


def prepare(checkout: Path, *, report: Report = tools.say) -> Path:
    """Write `.lab/own/env`, the shell file after which `pulumi` is there; return its path.

    Where Pulumi and its plugins are installed it sets nothing: the user's login, backend and
    passphrase hold. Where they had to be built there is no login yet, so a folder serves as the
    backend, unless the user has chosen one.
    """
    folder = checkout / ".lab" / "own"
    folder.mkdir(parents=True, exist_ok=True)
    variables = tools.pulumi_environment(folder / "pulumi-home", report)
    lines = ["# For a Kubernetes cluster of one's own; KUBECONFIG stays as it is."]
    if variables:
        programs = tools.ensure(["pulumi", "kubectl"], report)
        variables["PULUMI_SKIP_UPDATE_CHECK"] = "1"
        lines += [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
        state = folder / "state-backend"
        state.mkdir(exist_ok=True)
        lines += [
            f'export PULUMI_BACKEND_URL="${{PULUMI_BACKEND_URL:-file://{state}?metadata=skip}}"',
            'export PULUMI_CONFIG_PASSPHRASE="${PULUMI_CONFIG_PASSPHRASE-}"',
        ]
        folders = sorted({str(path.parent) for path in programs.values()})
        lines.append(f'export PATH="$PATH:{":".join(folders)}"')
    env = folder / "env"
    env.write_text("\n".join([*lines, ""]))
    return env
