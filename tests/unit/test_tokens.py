"""A bootstrap token is fresh; what a discovery endpoint hands out is judged before it is used."""

from __future__ import annotations

import threading
import time

import pytest

from components.birth import tokens
from components.progress import SequenceError
from tests.support.answers import Reply, serving
from tests.support.ports import free_port

GOOD = "https://discovery.test/3e86b59982e49066c5d813af1c2e257a"
OWN = "http://etcd-discovery.etcd.svc.cluster.local:2379"


def refusal(url: str, size: int = 3) -> str:
    with pytest.raises(SequenceError) as failure:
        tokens.fetch_v2(url, size)
    text = str(failure.value)
    *problem, following = text.splitlines()
    assert len(problem) == 1, "one line, whatever the endpoint has said"
    assert following.startswith("Next: ")
    assert url in problem[0]
    return problem[0]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(GOOD, id="as etcd's own service answers"),
        pytest.param(f"{GOOD}\n", id="a line end behind it"),
        pytest.param(GOOD.replace("https", "http"), id="plain http"),
        pytest.param(GOOD.replace("test/", "test:8087/"), id="a port"),
        pytest.param(GOOD.replace("test/", "test/v1/keys/"), id="below a path"),
    ],
)
def test_a_discovery_url_is_taken_as_it_is(body: str) -> None:
    with serving(Reply(body=body)) as service:
        assert tokens.fetch_v2(f"{service.url}/new", 5) == body.strip()
    assert service.asked == ["GET /new?size=5"]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        pytest.param(Reply(503, "busy"), "answered 503", id="503"),
        pytest.param(Reply(404, "<html></html>"), "answered 404", id="404"),
        pytest.param(Reply(500, GOOD), "answered 500", id="an error with a URL in it"),
        pytest.param(Reply(body="<html>\n<body>hello</body>\n</html>"), "<html> <body>", id="HTML"),
        pytest.param(Reply(body=f"<a href='{GOOD}'>"), "no discovery URL", id="a URL in HTML"),
        pytest.param(Reply(body=""), "'nothing'", id="nothing"),
        pytest.param(Reply(body=" \n "), "'nothing'", id="blanks"),
        pytest.param(Reply(body=GOOD[:-1]), "no discovery URL", id="cut off"),
        pytest.param(Reply(body=f"{GOOD}0"), "no discovery URL", id="too long"),
        pytest.param(Reply(body=f"{GOOD}?x=1"), "no discovery URL", id="a query behind it"),
        pytest.param(Reply(body=f"{GOOD}\n{GOOD}"), "no discovery URL", id="two of them"),
        pytest.param(Reply(body=GOOD.partition("//")[2]), "no discovery URL", id="no scheme"),
        pytest.param(Reply(body="https:///" + "a" * 32), "no discovery URL", id="no host"),
        pytest.param(Reply(body="ftp://h/" + "a" * 32), "no discovery URL", id="another scheme"),
        pytest.param(Reply(body="x" * 100_000), "no discovery URL", id="far too much"),
        pytest.param(Reply(closes=True), "does not answer", id="a closed connection"),
        pytest.param(
            Reply(302, headers={"Location": "/new?size=3"}), "answered 302", id="a circle"
        ),
    ],
)
def test_what_is_no_discovery_url_is_refused(reply: Reply, expected: str) -> None:
    with serving(reply) as service:
        text = refusal(f"{service.url}/new")
    assert expected in text
    assert len(text) < 400, "an error page is not quoted whole"


def test_an_endpoint_that_does_not_exist_is_told() -> None:
    assert "does not answer" in refusal(f"http://127.0.0.1:{free_port()}/new")


def test_an_endpoint_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = tokens.FETCH_SECONDS
    assert limit < 30, "a person waits for it"
    monkeypatch.setattr(tokens, "FETCH_SECONDS", 0.2)
    never = threading.Event()
    with serving(Reply(after=never)) as service:
        began = time.monotonic()
        text = refusal(f"{service.url}/new")
        assert time.monotonic() - began < limit
        never.set()
    assert "does not answer: timed out" in text


# ---------------------------------------------------------------- v3


@pytest.mark.parametrize(
    ("mode", "endpoint"), [("inCluster", OWN), ("v3", "http://a.test:2379,http://b.test:2379")]
)
def test_every_bootstrap_has_a_token_of_its_own(mode: str, endpoint: str) -> None:
    url = endpoint if mode == "v3" else ""
    made = [tokens.fresh(mode, url, 3, OWN) for _ in range(20)]
    assert {t.endpoint for t in made} == {endpoint}
    assert {t.protocol for t in made} == {"v3"}
    assert len({t.value for t in made}) == 20
    assert all(len(t.value) == 32 for t in made), "128 bits: nobody guesses it"


def test_the_keys_are_those_that_etcd_looks_for() -> None:
    """etcd: server/etcdserver/api/v3discovery."""
    token = tokens.Token("v3", "t", OWN)
    assert token.size_key == "/_etcd/registry/t/_config/size"
    assert token.size_key.startswith(token.prefix)


def test_v2_is_the_url_that_was_handed_out() -> None:
    with serving(Reply(body=GOOD)) as service:
        assert tokens.fresh("v2", f"{service.url}/new", 3, OWN) == tokens.Token("v2", GOOD, "")
