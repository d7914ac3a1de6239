"""How much more bad events vary than if requests were independent: the factor phi.

Errors come in bursts: a lost connection fails all that it carried. Then counts vary more than a
binomial's, and a test that takes each event for a witness of its own is too bold. So evidence is
divided by phi, the ratio of the variances: counts / phi is what a Poisson of bursts of phi events
would show, and F^(1/phi) is an e-variable wherever F is (Jensen: E F^(1/phi) <= (E F)^(1/phi)), so
that phi >= 1 can only take boldness away.

phi is seen in the stable revision alone, in windows before the one that is judged. Of two
neighbouring windows with N events among n + k requests the split is hypergeometric, if events are
independent and their probability was the same:

    z^2 = (y - N q)^2 / (N q (1 - q) (R - N) / (R - 1)),   R = n + k, q = k / R,

has mean 1 for every N; bursts of b make it b. No rate has to be known and a slow change of the rate
does no harm, for only neighbours are compared. This is done for neighbouring windows and for
neighbouring minutes (bursts that last); the larger mean counts.
"""

from dataclasses import dataclass, field

MINUTE = 60.0
"""Seconds of the coarse scale."""
_HEAVIEST = 8.0
"""The most that one pair weighs: of many events together one learns no more than their variance."""
_STRANGEST = 25.0
"""The most that z^2 counts: when an incident begins, all windows change once."""
_FINE, _COARSE = 10.0, 20.0
"""How many pairs' worth of presumption there is: that events are independent; that minutes vary as
windows do. Single pairs scatter as a squared normal variable."""


@dataclass(frozen=True, slots=True)
class Scale:
    """``pairs`` so far, the ``sum`` of weight times z^2, and ``weight``; events and requests of the
    ``last`` block, and of the ``open`` one, with its seconds."""

    pairs: int = 0
    sum: float = 0.0
    weight: float = 0.0
    last: tuple[float, float] = (0.0, 0.0)
    open: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Dispersion:
    fine: Scale = field(default_factory=Scale)
    coarse: Scale = field(default_factory=Scale)

    @property
    def phi(self) -> float:
        """At least 1. While pairs are few it leans to 1, and the bets' ceiling has to do."""
        fine = _mean(self.fine, _FINE, 1.0)
        return max(1.0, fine, _mean(self.coarse, _COARSE, fine))

    @property
    def known(self) -> float:
        """How many events have shown whether they come alone."""
        return self.fine.weight


def observed(former: Dispersion, events: float, requests: float, seconds: float) -> Dispersion:
    """With one more window of the stable revision."""
    if requests <= 0:
        return former
    return Dispersion(
        _closed(former.fine, (events, requests)), _added(former.coarse, events, requests, seconds)
    )


def _added(scale: Scale, events: float, requests: float, seconds: float) -> Scale:
    block, of, since = scale.open
    block, of, since = block + events, of + requests, round(since + seconds, 3)
    if since < MINUTE:
        return Scale(scale.pairs, scale.sum, scale.weight, scale.last, (block, of, since))
    return _closed(scale, (block, of))


def _closed(scale: Scale, block: tuple[float, float]) -> Scale:
    weight, square = _pair(scale.last, block)
    if not weight:
        return Scale(scale.pairs, scale.sum, scale.weight, block)
    total = round(scale.sum + weight * min(square, _STRANGEST), 3)
    return Scale(scale.pairs + 1, total, scale.weight + weight, block)


def _pair(first: tuple[float, float], second: tuple[float, float]) -> tuple[float, float]:
    """(weight, z^2) of two neighbouring blocks; weight 0 if they show nothing."""
    together, of = first[0] + second[0], first[1] + second[1]
    calm = of - together
    if together < 1 or calm < 1 or first[1] <= 0:
        return 0.0, 0.0
    share = second[1] / of
    variance = together * share * (1 - share) * calm / (of - 1)
    square = (second[0] - together * share) ** 2 / variance
    return min(together, calm, _HEAVIEST), square


def _mean(scale: Scale, presumed: float, at: float) -> float:
    if not scale.pairs:
        return at
    return (presumed * at + scale.pairs * scale.sum / scale.weight) / (presumed + scale.pairs)
