"""The mark that is written into a cluster once, when its bootstrap is accepted.

A cluster without it was never given to anybody. Seeds that are wiped and form a cluster again
have the same cluster ID (it is a hash of URLs and token), but not this key.
"""

from __future__ import annotations

import json

BIRTH_KEY = "etcd.pulumi.com/birth"


def transaction(mark: str) -> str:
    """What `etcdctl txn` is to read to write the mark if there is none: what stands there stays.

    Comparisons, then what is done if they hold, then what else: each ends with an empty line. A
    value in quotes is read as Go reads a string, of which JSON's are a part.
    """
    return f'create("{BIRTH_KEY}") = "0"\n\nput {BIRTH_KEY} {json.dumps(mark)}\n\n\n'


def is_of_cluster(mark: str, cluster_id: int) -> bool:
    """Whether a mark, as the acceptance writes it, is this cluster's."""
    try:
        return json.loads(mark)["clusterId"] == f"{cluster_id:x}"
    except (ValueError, KeyError, TypeError):
        return False
