"""Training: a method (what is learnt) over a tuner (which weights learn it)."""
