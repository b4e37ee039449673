"""What uses what within components/: as docs/architecture.md says, folder by folder."""

from __future__ import annotations

import re
from pathlib import Path

COMPONENTS = Path(__file__).parents[2] / "components"
LAYERS = (
    ("settings", "names", "site", "progress", "sizing", "member_rights"),
    ("kube",),
    ("etcd",),
    ("preflight", "birth", "change"),
    ("dynamic",),
)
LEVELS = {name: level for level, names in enumerate(LAYERS) for name in names}


def test_a_folder_uses_only_those_before_it() -> None:
    seen: set[str] = set()
    for file in COMPONENTS.rglob("*.py"):
        part = file.relative_to(COMPONENTS).parts[0].removesuffix(".py")
        used = set(re.findall(r"^from components\.(\w+)", file.read_text(), re.M))
        if part in LEVELS:
            seen.add(part)
            above = {name for name in used if LEVELS.get(name, len(LAYERS)) > LEVELS[part]}
            assert not above, f"{file.relative_to(COMPONENTS)} uses {sorted(above)}"
    assert seen == set(LEVELS)
