"""What the end-to-end tests make of etcdctl's words, and of an `up`'s words about leaders."""

from __future__ import annotations

import pytest

from tests.support.stack import answer
from tests.support.writer import interrupted

LOG = '{"level":"warn","msg":"retrying of unary invoker failed","error":"leader changed"}\n'


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"members": []}\n', {"members": []}),
        (LOG + '{"members": []}\n', {"members": []}),
        (LOG + LOG + '[{"Endpoint": "one"}]\n', [{"Endpoint": "one"}]),
        ("", {}),
        (LOG, {}),
    ],
)
def test_its_log_is_no_answer(text: str, found: object) -> None:
    assert answer(text) == found


@pytest.mark.parametrize(
    ("gap", "terms", "told", "found"),
    [
        (0.9, 2, "", False),
        (2.0, 0, "", False),
        (2.0, 1, "leader moved from etcd-4 to etcd-0", False),
        (2.0, 1, "", True),
        (2.0, 2, "leader moved from etcd-4 to etcd-0, leader moved from etcd-4 to etcd-0", True),
        (6.0, 0, "", True),
    ],
    ids=["short", "still", "moved", "elected", "elected besides", "long"],
)
def test_an_outage_is_an_election_or_long(gap: float, terms: int, told: str, found: bool) -> None:
    assert interrupted(gap, terms, told.replace(", ", "\n  ")) is found
