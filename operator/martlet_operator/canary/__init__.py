"""Whether a canary is worse than the stable revision: sequential tests, and no I/O or clock.

Readings of the pods' counters become windows (windows), a window adds to the evidence of each guard
(guards, evidence) by bets (betting) whose size minds bursts (dispersion) and, for latencies, at
edges of the histogram (edges); the evidence gives a verdict (verdict). docs/canary.md has the rule,
the mathematics and the figures.
"""
