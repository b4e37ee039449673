"""The lab: a one-node Kubernetes in a network namespace of its own, and what goes with it."""
