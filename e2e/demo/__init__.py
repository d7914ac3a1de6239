"""The quickstart, from nothing to an answered request, told while it happens."""
