"""The process that runs in every pod of this project and is the only one that starts etcd.

Standard library only. The rules (`membership`, `rules`) are pure and are the one copy that the
Pulumi side (`components.dynamic`) imports as well, as `containers.etcd.supervisor.*`.
"""
