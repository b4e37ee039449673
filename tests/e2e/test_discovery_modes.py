"""The seeds find each other by a discovery service that somebody runs already: v2 and v3."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from components.site import identity
from lab.state import Lab
from tests.support.answers import Reply, serving
from tests.support.discovery_server import v2_service, v3_service
from tests.support.refusal import is_untouched, refused
from tests.support.stack import Result, Stack

UNITS = ["etcd-0", "etcd-1", "etcd-2"]
HTML = "<html>Welcome</html>"
SEEDS = ["etcd-seed-0", "etcd-seed-1", "etcd-seed-2"]


def test_seeds_form_a_cluster_by_a_v2_url_that_is_used_once_and_is_secret(
    lab: Lab, new_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    with v2_service(lab, tmp_path / "service") as service:
        stack = new_stack(discovery={"mode": "v2", "url": service.url})
        up = stack.up()
        _is_balanced(stack)
        used = {token: members for token, members in service.tokens().items() if members}
        (token,) = used
        assert [entry.partition("=")[0] for entry in used[token]] == SEEDS
        _is_secret(stack, up, token)
    # Nothing asks for a token any more: a service that is gone is not missed.
    stack.up("--expect-no-changes", "--refresh")


def test_the_tokens_keys_are_gone_from_an_etcd_that_exists_and_all_others_are_untouched(
    lab: Lab, new_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    with v3_service(lab, tmp_path / "service") as service:
        foreign = ["/_etcd/registry/0123/_config/size", "/_etcd/registry/0123/members/a", "mine"]
        for key in [*foreign, f"/_etcd/registry/{CUT_OFF}/members/1"]:
            service.ctl("put", key, "theirs")
        stack = new_stack(discovery={"mode": "v3", "url": service.url})
        stack.run("kubectl", "create", "namespace", stack.namespace, check=True)
        _leave_a_cut_off_attempt(stack, service.url)
        up = stack.up()
        assert "an earlier attempt was not finished" in up.output
        _is_balanced(stack)
        end = service.revision()
        assert service.keys() == foreign
        # The last change there is the end of the token: one revision earlier it was in use.
        ours = [key for key in service.keys(end - 1) if key not in foreign]
        (token,) = {key.split("/")[3] for key in ours}
        assert re.fullmatch(r"[0-9a-f]{32}", token)
        kinds = [key.split("/")[4] for key in ours]
        assert kinds == ["_config", "members", "members", "members"]
        _is_secret(stack, up, token)
        # A destroy instead of another `up` after a cut: there are pods yet that reach the service.
        service.ctl("put", f"/_etcd/registry/{CUT_OFF}/members/1", "ours")
        _leave_a_cut_off_attempt(stack, service.url)
        stack.destroy()
        assert service.keys() == foreign


CUT_OFF = "c" * 32
"""Token of an attempt that was cut off."""


def _leave_a_cut_off_attempt(stack: Stack, url: str) -> None:
    """What stands in Kubernetes of an attempt whose seeds had no time to start."""
    held = {"protocol": "v3", "token": CUT_OFF, "endpoint": url}
    literals = [f"--from-literal={key}={value}" for key, value in held.items()]
    stack.kubectl("create", "secret", "generic", "etcd-discovery", *literals)
    labels = [f"{key}={value}" for key, value in identity("etcd", stack.name).items()]
    stack.kubectl("label", "secret", "etcd-discovery", *labels)


NO_TOKEN = [
    pytest.param("v2", Reply(200, HTML), "is no discovery URL", id="v2, HTML"),
    pytest.param("v3", Reply(503, "sorry"), "answered with '503 ", id="v3, 503"),
]
"""What a real CLI makes of it; other replies: tests/provider/test_discovery_errors.py."""


@pytest.mark.parametrize(("mode", "reply", "expected"), NO_TOKEN)
def test_an_endpoint_that_is_no_discovery_service_is_told_before_anything_is_touched(
    mode: str, reply: Reply, expected: str, unborn: Stack
) -> None:
    with serving(reply) as server:
        url = f"{server.url}/new" if mode == "v2" else server.url
        text = refused(unborn, discovery={"mode": mode, "url": url})
        assert url in text
    assert expected in text
    assert len(server.asked) == 1
    assert is_untouched(unborn)


@pytest.fixture(scope="module")
def unborn(env: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that never gets past its preflight; without Docker, which is not asked yet."""
    image = {"build": False, "digest": f"sha256:{'a1' * 32}"}
    stack = Stack("unborn", env, tmp_path_factory.mktemp("unborn"), image=image)
    yield stack
    stack.remove()


def _is_balanced(stack: Stack) -> None:
    assert sorted(stack.pods()) == UNITS, "no seed, and no discovery service of our own"
    assert sorted(stack.members()) == UNITS
    assert not any(m.get("isLearner") for m in stack.members().values())
    assert stack.outputs()["receipt"]["consistent"] is True


def _is_secret(stack: Stack, up: Result, token: str) -> None:
    """The token is in Pulumi's state, since what is there can be looked up; but never in clear."""
    assert token not in up.output
    export = ("pulumi", "stack", "export", "--stack", stack.name)
    assert token not in stack.run(*export, check=True).output
    shown: dict[str, Any] = json.loads(stack.run(*export, "--show-secrets", check=True).output)
    resources = shown["deployment"]["resources"]
    (held,) = [r["outputs"]["token"] for r in resources if r["type"].endswith("etcd:Discovery")]
    assert token in json.dumps(held)
