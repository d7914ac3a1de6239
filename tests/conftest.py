"""Machines that tests run on are shared: no test fails for want of time."""

from hypothesis import settings

settings.register_profile("shared", deadline=None)
settings.load_profile("shared")
