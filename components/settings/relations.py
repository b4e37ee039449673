"""Rules between config groups. Pure.

Each is checked only where its values are valid by themselves: a wrong value is reported once.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from components.settings.model import Settings
from components.settings.reader import Problems, set_value

_PUBLIC_DISCOVERY = "discovery.etcd.io"


def check(settings: Settings, problems: Problems) -> None:
    """Report values that are valid, but not together."""
    _counts(settings, problems)
    _discovery_speaks_version(settings, problems)
    _names(settings, problems)


def warnings(settings: Settings) -> tuple[str, ...]:
    """What is allowed, but better known before it is relied on."""
    url = settings.discovery.url
    if settings.discovery.mode == "v2" and url and urlsplit(url).hostname == _PUBLIC_DISCOVERY:
        return (
            f"etcd:discovery.url asks {_PUBLIC_DISCOVERY}, a public service that was down for days "
            "in 2026 and has no owner. Whoever learns the token can take part in the bootstrap. "
            f"Next: {set_value('discovery.mode', 'inCluster')}",
        )
    return ()


def _counts(settings: Settings, problems: Problems) -> None:
    seeds, units = settings.seeds.count, settings.units.count
    if problems.none_at("seeds.count", "units.count") and units < seeds:
        problems.add(
            "units.count",
            units,
            f"allowed: seeds.count ({seeds}) or more, so that the units can replace the seeds",
            set_value("units.count", str(seeds)),
        )


def _discovery_speaks_version(settings: Settings, problems: Problems) -> None:
    if not problems.none_at("etcd.version", "discovery.mode"):
        return
    version, minor, mode = settings.etcd.version, settings.etcd.minor, settings.discovery.mode
    if mode == "v2" and minor >= (3, 7):
        problems.add(
            "discovery.mode",
            mode,
            f"allowed: inCluster, v3 with etcd.version {version}; etcd 3.7 has no v2 discovery",
            set_value("discovery.mode", "inCluster"),
        )
    if mode != "v2" and minor < (3, 6):
        problems.add(
            "discovery.mode",
            mode,
            f"allowed: v2 with etcd.version {version}; seeds of etcd 3.5 know only v2 discovery",
            f"{set_value('etcd.version', '3.6.14')} (or set discovery.mode v2 and discovery.url)",
        )


def _names(settings: Settings, problems: Problems) -> None:
    if not problems.none_at("etcd.name", "service.name"):
        return
    name, service = settings.etcd.name, settings.service.name
    taken = [f"{name}-{suffix}" for suffix in ("peer", "seed", "discovery")]
    if service in taken:
        problems.add(
            "service.name",
            service,
            f"allowed: any name but {', '.join(taken)}, which belong to other objects of etcd.name "
            f"{name}",
            set_value("service.name", name),
        )
