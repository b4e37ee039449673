"""A protected cluster refuses a destroy first of all, with the one command that lifts it."""

from __future__ import annotations

import base64

import pytest
from pulumi.dynamic.dynamic import serialize_provider

from components.dynamic.protection import ProtectionProvider
from components.progress import SequenceError

CLUSTER = "projects/my-project/locations/us-central1/clusters/etcd-prod"


def test_a_protected_cluster_is_not_destroyed() -> None:
    with pytest.raises(SequenceError) as refused:
        ProtectionProvider().delete(CLUSTER, {"cluster": CLUSTER, "protected": True})
    first, last = str(refused.value).split("\n")
    assert first.startswith(f"{CLUSTER} is protected")
    assert last == "Next: pulumi config set --path etcd:gke.deletionProtection false && pulumi up"


def test_one_that_is_protected_no_more_is_let_go() -> None:
    ProtectionProvider().delete(CLUSTER, {"cluster": CLUSTER, "protected": False})


def test_lifting_it_is_an_update_and_a_second_up_is_none() -> None:
    provider, locked = ProtectionProvider(), {"cluster": CLUSTER, "protected": True}
    assert provider.diff(CLUSTER, locked, {**locked, "protected": False}).changes
    assert not provider.diff(CLUSTER, locked, locked).changes
    lifted = provider.update(CLUSTER, locked, {**locked, "protected": False}).outs
    assert lifted == {**locked, "protected": False}


def test_the_provider_stands_in_the_state_by_its_promised_name() -> None:
    pickled = base64.b64decode(serialize_provider(ProtectionProvider()))
    assert b"components.dynamic.protection" in pickled
    assert b"ProtectionProvider" in pickled
