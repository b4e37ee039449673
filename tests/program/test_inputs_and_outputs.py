"""What goes into the program and what it tells: image, cluster, secrets, exports, refusals."""

from __future__ import annotations

import base64
import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.cluster import read_kubeconfig
from components.outputs import versions
from components.settings import KubernetesSettings
from tests.program.conftest import SERVER, Declare
from tests.support.program import ADDRESS, BUILT, CONTEXT, DIGEST, DYNAMIC, SEQUENCES, TOKEN, run

CHECKOUT = Path(__file__).resolve().parent.parent.parent

# ---------------------------------------------------------------- image


def test_the_image_is_built_from_the_configured_bases(declare: Declare) -> None:
    image = declare(
        image={"etcdBase": "mirror.test/etcd", "pythonBase": "mirror.test/python:3"},
        etcd={"version": "3.7.1"},
    ).one("docker:index/image:Image")
    build = image.inputs["build"]
    assert build["args"]["ETCD_BASE"] == "mirror.test/etcd:v3.7.1"
    assert build["args"]["PYTHON_BASE"] == "mirror.test/python:3"
    assert build["platform"] == "linux/amd64", "a laptop's own may be another"
    assert (CHECKOUT / build["dockerfile"]).is_file()
    assert image.inputs["skipPush"] is False
    assert image.inputs["buildOnPreview"] is False


def test_the_umask_of_a_clone_makes_no_other_image(declare: Declare, tmp_path: Path) -> None:
    """Docker's plugin counts all modes, and two people would restart the units in turn."""
    context = tmp_path / "context"
    (context / "supervisor").mkdir(parents=True)
    for name, mode in (("Dockerfile", 0o600), ("supervisor/run", 0o700)):
        (context / name).write_text("FROM scratch\n")
        (context / name).chmod(mode)
    (context / "supervisor").chmod(0o700)
    declare(image={"context": str(context)})
    modes = {p.name: p.stat().st_mode & 0o777 for p in context.rglob("*")}
    assert modes == {"supervisor": 0o755, "Dockerfile": 0o644, "run": 0o755}


@pytest.mark.parametrize("code", [errno.EPERM, errno.EROFS], ids=["another's file", "read-only"])
def test_a_clone_whose_modes_cannot_be_changed_is_one_clear_error(
    declare: Declare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Root, as whom the tests may run, is refused by a read-only file system only."""
    file = tmp_path / "Dockerfile"
    file.touch()
    file.chmod(0o600)

    def refuse(self: Path, _mode: int) -> None:
        raise OSError(code, os.strerror(code), str(self))

    monkeypatch.setattr(Path, "chmod", refuse)
    with pytest.raises(pulumi.RunError) as caught:
        declare(image={"context": str(tmp_path)}, preview=True)
    text = str(caught.value)
    assert f"{file} has mode 600" in text
    assert os.strerror(code) in text
    assert text.endswith(f"\nNext: chmod 644 {file}, as its owner (or use a clone of your own)")
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    "base", ["mirror.test/etcd:v3.6.14-patched", f"mirror.test:5000/etcd@{DIGEST}"]
)
def test_a_pinned_base_is_taken_as_it_is(declare: Declare, base: str) -> None:
    image = declare(image={"etcdBase": base}).one("docker:index/image:Image")
    assert image.inputs["build"]["args"]["ETCD_BASE"] == base


def test_a_base_behind_a_port_gets_its_version(declare: Declare) -> None:
    image = declare(image={"etcdBase": "mirror.test:5000/etcd"}).one("docker:index/image:Image")
    assert image.inputs["build"]["args"]["ETCD_BASE"] == "mirror.test:5000/etcd:v3.6.14"


@pytest.mark.parametrize("preview", [False, True], ids=["up", "preview"])
def test_a_prebuilt_image_asks_docker_for_nothing(declare: Declare, preview: bool) -> None:
    program = declare(
        preview=preview,
        image={"build": False, "registry": "r.test/x", "repository": "e", "digest": DIGEST},
    )
    assert not [r for r in program.resources if r.type.startswith("docker:")]
    for workload in program.all("StatefulSet"):
        assert workload.container["image"] == f"r.test/x/e@{DIGEST}"


# ---------------------------------------------------------------- secrets


@pytest.mark.parametrize("preview", [False, True], ids=["up", "preview"])
def test_the_kubeconfig_is_secret_wherever_it_goes(declare: Declare, preview: bool) -> None:
    program = declare(preview=preview)
    holders = [r for r in program.resources if TOKEN in json.dumps(r.inputs)]
    expected = {f"{DYNAMIC}{n}" for n in SEQUENCES}
    assert {r.type for r in holders} == {*expected, "pulumi:providers:kubernetes"}
    for resource in holders:
        assert "kubeconfig" in resource.secrets, resource.urn
        rest = {k: v for k, v in resource.inputs.items() if k != "kubeconfig"}
        assert TOKEN not in json.dumps(rest)


def test_the_discovery_token_is_secret(declare: Declare) -> None:
    assert "token" in declare().one(f"{DYNAMIC}Discovery").secrets


@pytest.mark.parametrize("preview", [False, True], ids=["up", "preview"])
def test_no_export_tells_a_secret(declare: Declare, preview: bool) -> None:
    for name, export in declare(preview=preview).exports.items():
        assert TOKEN not in str(export.value), name
        assert "the-discovery-token" not in str(export.value), name
        assert not export.secret, f"{name} would be unreadable for no reason"


# ---------------------------------------------------------------- exports

EXPORTS = {
    "endpoint": "http://etcd.etcd.svc.cluster.local:2379",
    "clientHost": "10.96.0.7",
    "clientPort": 2379,
    "connect": f"kubectl --kubeconfig KUBECONFIG --context {CONTEXT} -n etcd exec etcd-0 -- "
    "etcdctl --endpoints=http://127.0.0.1:2379",
    "namespace": "etcd",
    "version": "3.6.14",
    "clusterId": "c1",
    "origin": "born",
    "members": [{"name": "etcd-0", "version": "3.6.14"}],
    "revision": 7,
    "receipt": {"consistent": True},
    "timings": {"birth": {"pods": 1.5}, "handover": {"receipt": 0.1}},
}


@pytest.fixture
def expected(tmp_path: Path) -> dict[str, Any]:
    """The exports of a stack whose settings name the kubeconfig of these tests."""
    connect = str(EXPORTS["connect"]).replace("KUBECONFIG", str(tmp_path / "kubeconfig"))
    return {**EXPORTS, "connect": connect}


def test_the_stack_tells_all_that_it_promises(declare: Declare, expected: dict[str, Any]) -> None:
    exports = declare().exports
    assert {name: export.value for name, export in exports.items()} == expected


def test_a_preview_tells_what_it_can_know(declare: Declare, expected: dict[str, Any]) -> None:
    exports = declare(preview=True).exports
    assert set(exports) == set(EXPORTS)
    sure = {"endpoint", "clientPort", "connect", "namespace"}
    assert {n: exports[n].value for n in sure} == {n: expected[n] for n in sure}
    for name in ("version", "clusterId", "origin", "members", "revision", "receipt", "timings"):
        assert not exports[name].known, name


def test_the_version_that_is_told_is_the_one_that_runs(declare: Declare) -> None:
    """A prebuilt image may hold another etcd than the configured one."""
    image = {"build": False, "registry": "r.test/x", "repository": "e", "digest": DIGEST}
    program = declare(image=image, etcd={"version": "3.7.1"})
    assert program.exports["version"].value == "3.6.14"


@pytest.mark.parametrize(
    ("running", "told"),
    [
        pytest.param(["3.7.1", "3.7.1"], "3.7.1", id="another than is configured"),
        pytest.param(["3.7.1", "3.6.14"], "3.6.14, 3.7.1", id="an upgrade that stopped half-way"),
        pytest.param(["3.6.14", ""], "3.6.14", id="one has not answered"),
        pytest.param([], "", id="before the first proof"),
    ],
)
def test_members_tell_which_versions_run(running: list[str], told: str) -> None:
    assert versions({"members": [{"version": version} for version in running]}) == told


def test_with_another_client_port_the_way_to_a_first_key_names_it(declare: Declare) -> None:
    connect = declare(etcd={"clientPort": 12379}).exports["connect"].value
    assert connect.endswith("-n etcd exec etcd-0 -- etcdctl --endpoints=http://127.0.0.1:12379")


BALANCER = {"type": "LoadBalancer", "sourceRanges": ["10.0.0.0/8"]}


def test_a_load_balancers_address_is_what_is_told_of_the_service(declare: Declare) -> None:
    program = declare(service=BALANCER)
    assert program.exports["clientHost"].value == ADDRESS
    assert program.exports["endpoint"].value == f"http://{ADDRESS}:2379"
    assert program.one(f"{DYNAMIC}Address").inputs["service_uid"] == "uid-of-etcd"
    preview = declare(service=BALANCER, preview=True).exports
    assert not preview["clientHost"].known
    assert not preview["endpoint"].known


@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort"])
def test_no_address_is_waited_for_where_no_load_balancer_is_asked_for(
    declare: Declare, kind: str
) -> None:
    assert declare(service={"type": kind}).all(f"{DYNAMIC}Address") == []


# ---------------------------------------------------------------- the cluster that is meant


def test_only_the_named_context_goes_to_the_cluster(declare: Declare) -> None:
    provider = declare().one("pulumi:providers:kubernetes").inputs
    kubeconfig = json.loads(provider["kubeconfig"])
    assert provider["context"] == kubeconfig["current-context"] == CONTEXT
    assert [c["cluster"]["server"] for c in kubeconfig["clusters"]] == [SERVER]
    assert "of-another-cluster" not in provider["kubeconfig"]


def test_no_change_of_the_kubeconfig_makes_it_another_cluster(declare: Declare) -> None:
    """Pulumi's plugin, from 4.0 on, replaces itself, and all that is in the cluster, when its
    identifier changes; without one when credentials or the server's address do."""
    provider = declare().one("pulumi:providers:kubernetes")
    assert provider.inputs["clusterIdentifier"] == SERVER
    assert provider.ignored_changes == ("clusterIdentifier",)


def test_a_preview_goes_on_without_the_cluster(declare: Declare) -> None:
    """With the plugin from 4.0 on, which refuses to read otherwise."""
    provider = declare().one("pulumi:providers:kubernetes")
    assert provider.inputs["skipUpdateUnreachable"] == "true"


def config(kubeconfig: Path, **groups: Any) -> dict[str, Any]:
    return {
        "kubernetes": {"kubeconfig": str(kubeconfig), "context": CONTEXT},
        "image": {"registry": "localhost:5000"},
        **groups,
    }


def reached_by(path: Path) -> KubernetesSettings:
    return KubernetesSettings(
        kubeconfig=str(path), context=CONTEXT, namespace="etcd", cluster_domain="cluster.local"
    )


def with_files(tmp_path: Path, **more: str) -> Path:
    """A kubeconfig whose certificates are files, one beside it."""
    server = {"server": SERVER, "certificate-authority": "ca.pem", **more}
    user = {"client-key": str(tmp_path / "key.pem"), "tokenFile": "token"}
    path = tmp_path / "kubeconfig"
    path.write_text(
        json.dumps(
            {
                "contexts": [{"name": CONTEXT, "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": server}],
                "users": [{"name": "u", "user": user}],
            }
        )
    )
    (tmp_path / "key.pem").write_text("key")
    return path


def test_what_a_kubeconfig_names_is_taken_along_to_other_machines(tmp_path: Path) -> None:
    path = with_files(tmp_path)
    (tmp_path / "ca.pem").write_text("authority")
    provider = run(config(path)).one("pulumi:providers:kubernetes")
    found = json.loads(provider.inputs["kubeconfig"])
    authority = base64.b64encode(b"authority").decode()
    assert found["clusters"][0]["cluster"] == {
        "server": SERVER,
        "certificate-authority-data": authority,
    }
    # A token in a file is renewed there.
    assert found["users"][0]["user"] == {
        "client-key-data": base64.b64encode(b"key").decode(),
        "tokenFile": str(tmp_path / "token"),
    }


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        pytest.param("./bin/login", "{folder}/bin/login", id="beside the kubeconfig"),
        pytest.param("bin/login", "{folder}/bin/login", id="in a folder beside it"),
        pytest.param("/opt/login", "/opt/login", id="wherever it is"),
        pytest.param("aws", "aws", id="on PATH"),
    ],
)
def test_the_command_of_a_login_is_the_one_that_kubectl_runs(
    command: str, expected: str, tmp_path: Path
) -> None:
    path = with_files(tmp_path)
    found = json.loads(path.read_text())
    del found["clusters"][0]["cluster"]["certificate-authority"]
    found["users"][0]["user"] = {"exec": {"command": command, "args": ["a/b"]}}
    path.write_text(json.dumps(found))
    login = read_kubeconfig(reached_by(path))["users"][0]["user"]["exec"]
    assert login == {"command": expected.format(folder=tmp_path), "args": ["a/b"]}


def test_what_stands_in_a_kubeconfig_goes_before_the_file_that_it_names(tmp_path: Path) -> None:
    path = with_files(tmp_path, **{"certificate-authority-data": "QQ=="})
    found = json.loads(run(config(path)).one("pulumi:providers:kubernetes").inputs["kubeconfig"])
    cluster = found["clusters"][0]["cluster"]
    assert cluster == {"server": SERVER, "certificate-authority-data": "QQ=="}


def test_a_certificate_that_cannot_be_read_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(pulumi.RunError, match=r"ca\.pem as certificate-authority, which"):
        read_kubeconfig(reached_by(with_files(tmp_path)))


def test_the_context_is_looked_for_in_every_file_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", CONTEXT):
        (tmp_path / name).write_text(
            json.dumps(
                {
                    "contexts": [{"name": name, "context": {"cluster": name, "user": "u"}}],
                    "clusters": [{"name": name, "cluster": {"server": f"https://{name}:1"}}],
                    "users": [{"name": "u", "user": {}}],
                }
            )
        )
    files = [tmp_path / "a", tmp_path / "not-there", tmp_path / CONTEXT]
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(map(str, files)))
    program = run({"kubernetes": {"context": CONTEXT}, "image": {"registry": "localhost:5000"}})
    provider = program.one("pulumi:providers:kubernetes")
    assert provider.inputs["clusterIdentifier"] == f"https://{CONTEXT}:1"


# ---------------------------------------------------------------- refusals


def whole(**changed: Any) -> dict[str, Any]:
    return {
        "contexts": [{"name": CONTEXT, "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": SERVER}}],
        "users": [{"name": "u", "user": {}}],
        **changed,
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", "contexts there: none", id="empty"),
        pytest.param("{", "cannot be read", id="no YAML"),
        pytest.param("just words", "contexts there: none", id="no object"),
        pytest.param("[1]", "contexts there: none", id="a list"),
        pytest.param("contexts: [{}]", "none", id="a context without a name"),
        pytest.param("contexts: 5", "none", id="contexts that are none"),
        pytest.param(
            json.dumps(whole(contexts=[{"name": "other", "context": {}}])),
            "contexts there: other",
            id="another context",
        ),
        pytest.param(
            json.dumps(whole(contexts=[{"name": CONTEXT}])), "none", id="a context of nothing"
        ),
        pytest.param(json.dumps(whole(clusters=[])), "'c'", id="a cluster that is not there"),
        pytest.param(json.dumps(whole(clusters=None)), "'c'", id="no clusters"),
        pytest.param(json.dumps(whole(users=[])), "'u'", id="a user that is not there"),
        pytest.param(
            json.dumps(whole(clusters=[{"name": "c", "cluster": {}}])), "server", id="no server"
        ),
        pytest.param(
            json.dumps(whole(clusters=[{"name": "c", "cluster": {"server": ""}}])),
            "server",
            id="an empty server",
        ),
    ],
)
def test_a_kubeconfig_that_leads_nowhere_is_refused_with_its_name(
    tmp_path: Path, text: str, expected: str
) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(pulumi.RunError) as refusal:
        run(config(path))
    message = str(refusal.value)
    assert str(path) in message
    assert expected in message
    assert message.splitlines()[-1].startswith("Next: ")


def test_a_kubeconfig_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "nowhere"
    with pytest.raises(pulumi.RunError, match=f"{path}.*\nNext: "):
        run(config(path))


def test_a_bad_config_is_refused_as_a_whole_and_declares_nothing(tmp_path: Path) -> None:
    bad = config(tmp_path / "nowhere", units={"count": 4}, seeds={"count": "3"}, etcd={"nmae": 1})
    with pytest.raises(pulumi.RunError) as refusal:
        run(bad)
    for key in ("etcd:units.count", "etcd:seeds.count", "etcd:etcd.nmae"):
        assert key in str(refusal.value)


def test_the_program_asks_nobody_and_imports_no_client_of_kubernetes() -> None:
    """The client costs every preview 0.2 s; only the dynamic providers' process needs it.

    What makes a cluster is for the stacks that have one made; Google's SDK is for nobody.
    """
    program = (
        "import runpy, sys\n"
        "import __main__ as _\n"
        "import components.cluster, components.inputs, components.outputs\n"
        "import components.settings, components.units\n"
        "import components.dynamic.preflight, components.dynamic.scale\n"
        "print('kubernetes.client' in sys.modules, 'components.own_cluster' in sys.modules)\n"
        "import components.own_cluster, components.dynamic.protection\n"
        "print('kubernetes.client' in sys.modules, 'pulumi_gcp' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False"] * 4


def test_the_same_config_declares_the_same(declare: Declare) -> None:
    """A second `up` without a change must find nothing to do."""
    first, second = (
        {r.urn: r.inputs for r in declare(units={"nodeSelector": {"b": "1", "a": "2"}}).resources}
        for _ in range(2)
    )
    assert first == second
    assert BUILT in json.dumps(first)
