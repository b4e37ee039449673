"""Stand-in for the Pulumi plugin of `pulumi_gcp`: its process, and a Google Cloud made of files.

Why: the official plugin is a download from Pulumi's own host, is not published as a Go module, and
does nothing without an account at Google. This one lets `pulumi up` of the GKE stack run on the
lab: the cluster that it makes is the lab's Kubernetes, the registry that it makes is the lab's.
lab/gke.py installs it in a Pulumi home of its own, and only where the official plugin cannot be
had; `.lab/env` does not know it.

What is real: the inputs are mapped to the bodies that Google's APIs take, and these are checked
against Google's own discovery documents (in the wheel of google-api-python-client): fields, types,
enums, required fields. Conflicts, name patterns and immutable fields are those of the provider's
documentation and source (terraform-provider-google, services/container and its siblings). Errors
are worded as Google and the provider word them.

What is not: nothing is billed, routed or restricted, a node pool is a number, and only the inputs
of the tables (cluster.py, node_pool.py, registry.py, identity.py, network.py) are known. Any other
is refused.
"""
