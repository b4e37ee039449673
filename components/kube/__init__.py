"""Kubernetes as the sequences see it: the way to it, pods, claims, namespace, what goes wrong."""
