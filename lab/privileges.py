"""Whether a lab can be on this machine at all. The standard library only: `make` asks by
`python3 -m lab.privileges` before it installs anything, which takes a minute.
"""

from __future__ import annotations

import os
import sys

from lab.errors import USE_ANOTHER_CLUSTER, LabError


def require_root_and_linux() -> None:
    """Raises LabError."""
    if sys.platform != "linux":
        raise LabError(
            f"The lab needs Linux; this is {sys.platform}.",
            USE_ANOTHER_CLUSTER,
        )
    if os.geteuid() != 0:
        raise LabError(
            f"The lab needs root (network namespaces, mounts); this is user {os.geteuid()}.",
            "run the command again with sudo",
        )


if __name__ == "__main__":
    try:
        require_root_and_linux()
    except LabError as error:
        sys.exit(str(error))
