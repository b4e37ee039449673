"""All scenarios, in the order in which they run."""

from __future__ import annotations

from collections.abc import Iterable
from string import ascii_lowercase

from tests.faults.scenario import Scenario
from tests.faults.scenarios import (
    api_down,
    bootstrap,
    cut,
    disk_and_clock,
    handover,
    joining,
    killed,
    network,
    pods,
    processes,
    retained,
    rolling,
    scaling,
)

# Those that want a cluster follow each other, so that it is not born again for each.
SCENARIOS: tuple[Scenario, ...] = (
    *joining.SCENARIOS,
    *processes.SCENARIOS,
    *pods.SCENARIOS,
    *network.SCENARIOS,
    *disk_and_clock.SCENARIOS,
    *api_down.SCENARIOS,
    *rolling.SCENARIOS,
    *scaling.SCENARIOS,
    *retained.SCENARIOS,
    *handover.SCENARIOS,
    *bootstrap.SCENARIOS,
    *cut.SCENARIOS,
    *killed.SCENARIOS,
)

SHORT = ("1", "3", "4")
"""The selection that is part of `make test`, each with one round."""


class UnknownScenarioError(Exception):
    """Names scenarios that are not there; the text lists those that are."""


def chosen(keys: Iterable[str]) -> tuple[Scenario, ...]:
    """The scenarios of these keys, all of them where there is none; `16` means all of 16a, 16b ...

    They come in the catalogue's order. Raises UnknownScenarioError.
    """
    wanted = list(dict.fromkeys(keys))
    if not wanted:
        return SCENARIOS
    found = {key: [s for s in SCENARIOS if _fits(key, s.key)] for key in wanted}
    unknown = [key for key, scenarios in found.items() if not scenarios]
    if unknown:
        known = ", ".join(scenario.key for scenario in SCENARIOS)
        raise UnknownScenarioError(f"no scenario {', '.join(unknown)}; there are {known}")
    keys_found = {s.key for scenarios in found.values() for s in scenarios}
    return tuple(s for s in SCENARIOS if s.key in keys_found)


def _fits(wanted: str, key: str) -> bool:
    return key == wanted or (wanted.isdigit() and key.rstrip(ascii_lowercase) == wanted)
