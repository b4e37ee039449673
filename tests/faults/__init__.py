"""The fault suite: what the cluster does when things break, on a real Kubernetes, under load.

`python -m tests.faults --help`. `scenarios/` says what is broken and what must hold, `injection/`
breaks it, `broken.py` names the builds of the product that each scenario must find out.
"""
