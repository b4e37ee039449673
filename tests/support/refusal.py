"""A run of the program that must fail, and the one error that people then read."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from tests.support.stack import Result, Stack

UP = ("up", "--yes", "--skip-preview")

_PULUMIS_OWN = (
    "update failed",
    "preview failed",
    "an unhandled error occurred: program exited with non-zero exit code: 1",
)
"""Lines that Pulumi itself adds to every failure."""

_BLAMED = re.compile(
    r"Detected that \S+ exited prematurely\.\s+This is \*always\* a bug in the provider\. Please"
    r" report the issue to the provider author as appropriate\.\s+To assist with debugging we have"
    r" dumped the STDOUT and STDERR streams of the plugin:"
)
"""What the engine says of a plugin that it has ended itself, in a run that is over.

The engine has 5 s to end all plugins of a run, one after the other (ReleaseContext in Pulumi's
host.go). `pulumi.dynamic` waits for its interrupt in an Event().wait() without a limit, and may
miss it on a machine with far more busy processes than cores: seen twice in hundreds of ends,
probably since Linux may hand it to another thread, where CPython does not wake the main one. That
takes the 5 s, and the plugins that are ended after it are blamed, with nothing in their streams. A
plugin that has really crashed has a traceback or a panic there, and is not matched.
"""


def refused(
    stack: Stack,
    verb: tuple[str, ...] = UP,
    environment: Mapping[str, str] | None = None,
    **groups: Any,
) -> str:
    """Run with some config groups and variables changed, for this run alone; what is wrong."""
    config, env = copy.deepcopy(stack.config), stack.env
    stack.env = {**env, **(environment or {})}
    try:
        stack.set(**groups)
        return the_one_error(stack.pulumi(*verb))
    finally:
        stack.config, stack.env = config, env
        stack.set()


def the_one_error(done: Result) -> str:
    """The error of a failed run. Asserts that there is one, for people, with a way out."""
    errors = errors_of(done)
    assert len(errors) == 1, done
    assert re.match(r"Next: \S+", errors[0].splitlines()[-1].strip()), done
    return errors[0]


def errors_of(done: Result) -> list[str]:
    """The errors of a failed run, without what Pulumi adds to each. Asserts that it has failed."""
    assert done.code != 0, done
    assert "Traceback" not in done.output, done
    shown = done.output.partition("Diagnostics:")[2].partition("\nResources:")[0]
    told = [part.partition("\n\n")[0] for part in re.split(r"(?m)^ *error: ", shown)[1:]]
    texts = [text.strip() for text in told]
    return [t for t in texts if not (t.startswith(_PULUMIS_OWN) or _BLAMED.fullmatch(t))]


def is_untouched(stack: Stack) -> bool:
    """Whether Kubernetes holds nothing of the stack, not even its namespace."""
    return not stack.run(
        "kubectl", "get", "namespace", stack.namespace, "--ignore-not-found"
    ).output
