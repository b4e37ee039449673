"""The one node: containerd, kubelet, kube-proxy, and CoreDNS beside them."""

import json
import subprocess
from pathlib import Path

import yaml

from lab.addresses import Addresses
from lab.certificates import NODE_NAME
from lab.controlplane import Programs
from lab.errors import LabError
from lab.processes import inside, start, wait_for_file
from lab.registry import REGISTRY_PORT
from lab.state import Lab

PAUSE_IMAGE = "localhost/pause:3.10"


def start_containerd(lab: Lab, addresses: Addresses, programs: Programs, pause: Path) -> None:
    """Start containerd and give it the pause image, from which every pod begins."""
    cni = lab.state / "cni"
    cni.mkdir()
    (cni / "10-lab.conflist").write_text(cni_config(lab, addresses))
    config = lab.state / "containerd.toml"
    config.write_text(containerd_config(lab, programs["cni"]))
    # containerd starts its shim, and the shim runc, by name.
    path = f"{programs['containerd'].parent}:{programs['runc'].parent}:{_system_path()}"
    start(lab, addresses, "containerd", [programs["containerd"], "-c", config], {"PATH": path})
    wait_for_file(lab, "containerd", lab.containerd_socket)
    ctr = [programs["ctr"], "--address", lab.containerd_socket, "--namespace", "k8s.io"]
    done = subprocess.run(
        inside(lab, addresses, [*ctr, "images", "import", pause]),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LabError(
            f"containerd did not take the pause image {pause}: {done.stderr.strip()}",
            f"read {lab.logs / 'containerd.log'}",
        )


def start_kubelet(lab: Lab, addresses: Addresses, programs: Programs) -> None:
    """Start the kubelet; certificates and containerd must be there."""
    (lab.state / "resolv.conf").write_text(f"nameserver {addresses.node}\n")
    config = lab.state / "kubelet.yaml"
    config.write_text(kubelet_config(lab, addresses))
    root = lab.state / "kubelet"
    flags = [
        f"--config={config}",
        f"--kubeconfig={lab.state}/kubelet.conf",
        f"--hostname-override={NODE_NAME}",
        f"--node-ip={addresses.node}",
        f"--root-dir={root}",
        f"--cert-dir={root}/pki",
    ]
    start(lab, addresses, "kubelet", [programs["kubelet"], *flags])


def start_services(lab: Lab, addresses: Addresses, programs: Programs) -> None:
    """Start kube-proxy and CoreDNS; the API server must answer."""
    proxy = lab.state / "kube-proxy.yaml"
    proxy.write_text(kube_proxy_config(lab, addresses))
    start(lab, addresses, "kube-proxy", [programs["kube-proxy"], f"--config={proxy}"])
    corefile = lab.state / "Corefile"
    corefile.write_text(coredns_config(lab, addresses))
    start(lab, addresses, "coredns", [programs["coredns"], "-conf", corefile])


def containerd_config(lab: Lab, cni_programs: Path) -> str:
    """Return containerd's configuration, with every path inside the lab's state."""
    return f"""\
version = 2
root = "{lab.state}/containerd"
state = "{lab.state}/run/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
]
[grpc]
  address = "{lab.containerd_socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{lab.state}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  # Without it no sandbox starts where the machine lacks CAP_SYS_RESOURCE.
  restrict_oom_score_adj = true
  disable_apparmor = true
  # Pods' namespaces are pinned in the state folder, where `down` finds them.
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni_programs}"
    conf_dir = "{lab.state}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
      Root = "{lab.state}/run/runc"
  [plugins."io.containerd.grpc.v1.cri".registry.mirrors."localhost:{REGISTRY_PORT}"]
    endpoint = ["http://127.0.0.1:{REGISTRY_PORT}"]
"""


def cni_config(lab: Lab, addresses: Addresses) -> str:
    """Return the pod network: one routed veth for each pod.

    Routed, not bridged: Services then work without the br_netfilter kernel module. It does not
    enforce NetworkPolicy.
    """
    ipam = {
        "type": "host-local",
        "dataDir": f"{lab.state}/ipam",
        "ranges": [[{"subnet": str(addresses.pods)}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    plugin = {"type": "ptp", "ipam": ipam}
    return json.dumps({"cniVersion": "0.4.0", "name": addresses.kernel_name, "plugins": [plugin]})


def kubelet_config(lab: Lab, addresses: Addresses) -> str:
    """Return the kubelet's configuration for a machine that it shares with others."""
    config = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{addresses.kernel_name}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "maxOpenFiles": 20000,
        "containerRuntimeEndpoint": f"unix://{lab.containerd_socket}",
        "clusterDNS": [str(addresses.node)],
        "clusterDomain": "cluster.local",
        "resolvConf": f"{lab.state}/resolv.conf",
        "podLogsDir": f"{lab.state}/pod-logs",
        "volumePluginDir": f"{lab.state}/kubelet/volume-plugins",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{lab.pki}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "rotateCertificates": False,
        # The disk is the developer's: neither its use nor its images are the lab's to clean.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "imagefs.available": "1%",
            "nodefs.inodesFree": "1%",
        },
        "syncFrequency": "5s",
        "serializeImagePulls": False,
        "registryPullQPS": 0,
        "eventRecordQPS": 0,
        "kubeAPIQPS": 200,
        "kubeAPIBurst": 400,
    }
    return yaml.safe_dump(config, sort_keys=False)


def kube_proxy_config(lab: Lab, addresses: Addresses) -> str:
    """Return kube-proxy's configuration.

    `minSyncPeriod` is the shortest time between two rewrites of the rules. Its default of 1 s
    spares clusters of thousands of Services; it would be a visible part of every failover here.
    """
    config = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "iptables": {"minSyncPeriod": "200ms"},
        "clusterCIDR": str(addresses.pods),
        "hostnameOverride": NODE_NAME,
        "oomScoreAdj": 0,
        "clientConnection": {"kubeconfig": str(lab.state / "kube-proxy.conf")},
        # Zeros leave the machine's own connection tracking limits alone.
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
    }
    return yaml.safe_dump(config, sort_keys=False)


def coredns_config(lab: Lab, addresses: Addresses) -> str:
    """Return the Corefile: cluster names only, never a query to the world outside.

    Without `cache`: answers come from memory as it is, and a member that is looked up a moment
    before its pod is there must not stay unknown.
    """
    return f"""\
.:53 {{
  bind {addresses.node}
  errors
  kubernetes cluster.local in-addr.arpa ip6.arpa {{
    kubeconfig {lab.admin_config}
    pods verified
  }}
}}
"""


def _system_path() -> str:
    return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
