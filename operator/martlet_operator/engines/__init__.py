"""Engines: how each is started, asked and measured; what differs between them stands in its own
module, what is the same for all in ``container``."""
