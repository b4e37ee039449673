"""The product's own rules in a cluster in memory, over many lives in which things break at random.

Time goes in steps of one second. What is simulated is etcd and Kubernetes, as far as the rules see
them; what decides is the real code: `rules`, `stopping`, `plan` and `restarts`.
"""
