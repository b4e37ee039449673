"""A unit with real etcd under the alarm CORRUPT: it is ended as the runbook says."""

from __future__ import annotations

import json
import shutil
import urllib.request
from pathlib import Path

import pytest

from components.etcd.corruption import CorruptError, require_none
from tests.support.joining import Member, seen_at, three_others, voting
from tests.support.supervisor import eventually, passes


def test_a_unit_that_lost_its_disk_joins_once_the_alarm_is_off(
    member: Member, tmp_path: Path
) -> None:
    """It was the odd one; the Service leads to nobody while the alarm stands."""
    with three_others(member, tmp_path) as others:
        (url,) = others.endpoints("b")
        with member.running() as health:
            eventually("a voter", voting(health))
            eventually("to serve", health.ready)
            first = member.unit.members()["etcd-0"]
            raised = {"action": "ACTIVATE", "alarm": "CORRUPT", "memberID": str(first)}
            body = json.dumps(raised).encode()
            with urllib.request.urlopen(f"{url}/v3/maintenance/alarm", body, timeout=10) as answer:
                assert b"CORRUPT" in answer.read()
            eventually("the end of its readiness", lambda: not health.ready())
            seen = seen_at(url)
            with pytest.raises(CorruptError, match="alarm CORRUPT stands for 127: "):
                require_none(seen)
        shutil.rmtree(member.volume / "data")
        (member.volume / "identity.json").unlink()
        # Nobody is ready, so the Service would lead to nobody.
        member.unit.settings["MEMBER_CLUSTER_URL"] = "http://127.0.0.1:1"
        with member.running() as health:
            eventually("it to wait", lambda: "no cluster answers" in health.phase)
            passes(health, 4)
        others.ctl("alarm", "disarm", at=["b"])
        member.unit.settings["MEMBER_CLUSTER_URL"] = url
        with member.running() as health:
            eventually("a voter", voting(health))
            eventually("to serve again", health.ready)
            assert member.unit.members()["etcd-0"] != first
