"""A running etcd cluster as the sequences see it: membership, hashes, lock and proof."""
