"""The mark that is written into a cluster once, when its bootstrap is accepted.

A cluster without it was never given to anybody. Seeds that are wiped and form a cluster again
have the same cluster ID (it is a hash of URLs and token), but not this key.
"""

from __future__ import annotations

import json

BIRTH_KEY = "etcd.pulumi.com/birth"


def names(mark: str, cluster_id: int) -> bool:
    """Whether a mark, as the acceptance writes it, is this cluster's."""
    try:
        return json.loads(mark)["clusterId"] == f"{cluster_id:x}"
    except (ValueError, KeyError, TypeError):
        return False
