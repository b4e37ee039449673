"""The commands of docs/runbook.md, for tests that run what a person would copy."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from tests.support.ports import free_port

RUNBOOK = Path(__file__).resolve().parents[2] / "docs" / "runbook.md"


ENDS_ITS_JOBS = "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n"
"""For bash, before a block with `&`: a command that fails leaves no port-forward, for whose end the
test would wait."""


def blocks(title: str, **words: str) -> list[str]:
    """The shell blocks right below this heading, of whatever level.

    `words`: what a person writes in the place of a word in capitals, such as NAMESPACE.
    """
    _, *sections = re.split(r"^#+ (.*)\n", RUNBOOK.read_text(), flags=re.M)
    pairs = zip(sections[::2], sections[1::2], strict=True)
    (section,) = [text for name, text in pairs if name == title]
    found = re.findall(r"^ *```sh\n(.*?)^ *```$", section, re.M | re.S)
    return [_filled(textwrap.dedent(block), words) for block in found]


def _filled(text: str, words: dict[str, str]) -> str:
    # The ports of this machine to which one in a pod is led: another worker runs such blocks, too.
    for port in dict.fromkeys(re.findall(r"\b(\d+):2379\b", text)):
        text = text.replace(port, str(free_port()))
    # As whole words: NAMESPACE is not the one in OLD_NAMESPACE.
    return re.sub(r"\b[A-Z_]{2,}\b", lambda found: words.get(found[0], found[0]), text)
