"""The process that runs in every pod of this project and is the only one that starts etcd.

Standard library only. What is pure here is the one copy that `components.birth`, `.change`,
`.etcd`, `.kube`, `.preflight` and `.status` import as well.
"""
