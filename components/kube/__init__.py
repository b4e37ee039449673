"""Kubernetes as the sequences see it: the API, pods and what they tell, names that may be taken."""
