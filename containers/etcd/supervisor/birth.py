"""The mark that is written into a cluster once, when its bootstrap is accepted.

A cluster without it was never given to anybody. Seeds that are wiped and form a cluster again
have the same cluster ID (it is a hash of URLs and token), but not this key.
"""

BIRTH_KEY = "etcd.pulumi.com/birth"
