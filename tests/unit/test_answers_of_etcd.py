"""What the end-to-end tests make of etcdctl's words, and of an `up`'s words about leaders."""

from __future__ import annotations

import pytest

from tests.support.stack import answer
from tests.support.writer import elections

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


def test_a_leader_to_whom_leadership_was_moved_was_not_elected() -> None:
    moved = "@ updating\n  [scale]  1.0 s  leader moved from etcd-4 to etcd-0\n"
    assert elections(1, moved) == 0
    assert elections(1, moved + "  leader moved from etcd-4 to etcd-0 (told again)\n") == 0
    assert elections(2, moved) == 1
    assert elections(1, "") == 1
