"""A running etcd cluster as the sequences see it: membership, hashes, lock, alarm CORRUPT."""
