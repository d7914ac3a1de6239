"""Whether a canary is worse than the stable revision: sequential tests, and no I/O or clock.

Readings of the pods' counters become windows (windows), a window adds to the evidence of each guard
(guards, evidence) by bets (betting) whose size minds bursts (dispersion) and, for latencies, at
edges of the histogram (edges); the evidence gives a verdict (verdict). Each module has the
mathematics of its part; bench/canary.py measures all of it in simulated traffic. Services are not
rolled out by it yet.
"""
