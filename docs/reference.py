"""Writes what is generated of the documentation: docs/config.md, and the tables of the README.

`make docs`. The config is told by the schema in Pulumi.yaml, which is held against the program by a
test, as the outputs told here are. Pure but for `main`.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent

OUTPUTS = {
    "endpoint": "URL of the client Service: inside Kubernetes, or with `service.type` LoadBalancer "
    "from outside",
    "clientHost": "IP address of the same; of some load balancers a host name",
    "clientPort": "port of the client Service",
    "connect": "the beginning of a command that runs etcdctl in a unit; `put greeting hello`, say, "
    "follows. It names the kubeconfig of the settings, if they name one; where there is an output "
    "`kubeconfig`, kubectl needs it",
    "namespace": "namespace of all objects",
    "version": "etcd version that runs, as the members told it when the last sequence ended; where "
    "theirs differ, all of them",
    "clusterId": "the cluster's ID, hexadecimal, as etcdctl prints it",
    "origin": "how the cluster came to be there: `born`, `resumed` (an earlier `up` was cut off) "
    "or `retained` (on kept volumes)",
    "members": "name, id, role, peerUrl, clientUrl and version of every member when the last "
    "sequence ended",
    "revision": "revision of the key-value store at that moment",
    "receipt": "proof of that moment: one cluster ID, one leader, one term, and the same hash on "
    "every member. `consistent` is false when a hash was not compared. `missing`: whose did not "
    "come. `leftOut`: why none was asked for. `members`: whose were compared",
    "timings": "seconds that each phase of the birth and of the handover took",
    "context": "with `gke.create`: name of the cluster's context in the kubeconfig",
    "kubeconfig": "with `gke.create`: secret; gcloud supplies the credentials when it is used",
}
"""Output of the stack -> what it means."""

Row = tuple[str, ...]

_KEY = re.compile(r"^- (\w+) \((\w+), (?:default )?(.+?)\): (.+)$", re.M)

_HEAD = """\
# Configuration and outputs

<!-- Written by `make docs` from Pulumi.yaml and docs/reference.py: change these. -->

One object per group. `pulumi config set --path etcd:units.count 5` sets a key,
`pulumi config rm --path etcd:units.count` removes it. The program checks rules between keys, and
reports all errors together, before anything is touched.
"""


def settings(project: dict[str, Any]) -> dict[str, list[Row]]:
    """Key, type, default and meaning of every key, by group."""
    return {
        group: _KEY.findall(schema["description"]) for group, schema in project["config"].items()
    }


def table(head: Sequence[str], rows: Iterable[Row]) -> str:
    """A table of Markdown. Its cells are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"|{'|'.join(_padded(line))}|\n" for line in lines)


def _padded(line: Sequence[str]) -> list[str]:
    return [cell if cell == "---" else f" {cell} " for cell in line]


def setting_rows(group: str, keys: Iterable[Row]) -> list[Row]:
    """As a table's rows; the key with its group."""
    return [
        (f"`{group}.{key}`", kind, _value(default), html.escape(meaning, quote=False))
        for key, kind, default, meaning in keys
    ]


def _value(default: str) -> str:
    return default if default == "required" else f"`{default}`"


def output_rows() -> list[Row]:
    return [(f"`{name}`", meaning) for name, meaning in OUTPUTS.items()]


SETTING = ("key", "type", "default", "meaning")
OUTPUT = ("output", "meaning")


def page(project: dict[str, Any]) -> str:
    """docs/config.md."""
    parts = [_HEAD]
    for group, keys in settings(project).items():
        about = project["config"][group]["description"].splitlines()[0]
        parts.append(f"## {group}\n\n{about}\n")
        parts.append(table(SETTING, setting_rows(group, keys)))
    parts.append(f"## Outputs\n\n{table(OUTPUT, output_rows())}")
    return "\n".join(parts)


def readme(text: str, project: dict[str, Any]) -> str:
    """The README with its two tables as they should be."""
    rows = [row for group, keys in settings(project).items() for row in setting_rows(group, keys)]
    text = _with_table(text, "Configuration", table(SETTING, rows))
    return _with_table(text, "Outputs", table(OUTPUT, output_rows()))


def _with_table(text: str, heading: str, written: str) -> str:
    """The first table after a heading, exchanged. Raises ValueError if there is none."""
    head, mark, rest = text.partition(f"\n## {heading}\n")
    found = re.search(r"(?:^\|.*\|\n)+", rest, re.M)
    if not mark or found is None:
        raise ValueError(f"no table below {heading}")
    return head + mark + rest[: found.start()] + written + rest[found.end() :]


def main() -> None:
    """Write both files."""
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    (ROOT / "docs" / "config.md").write_text(page(project))
    path = ROOT / "README.md"
    path.write_text(readme(path.read_text(), project))


if __name__ == "__main__":
    main()
