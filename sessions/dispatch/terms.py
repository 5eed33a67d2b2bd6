"""How long things hold, in seconds of the database's clock."""

HEARTBEAT_S = 2.0
"""Between two announcements of a worker."""

SILENT_S = 8.0
"""A worker not heard of for so long gets no new stream, and its streams are settled."""

RESERVATION_S = 10.0
"""Between `reserve` and `confirm`: opening a stream takes one second at most."""

LEASE_S = 30.0
HOLD_S = 15.0
RENEW_S = 5.0
"""Between two renewals of what a process holds: leases and conversations."""

UNSEEN_S = 5.0
"""A live lease that its worker does not announce for so long after it was reserved has ended there."""

PULSE_S = 1.0
"""The pulse is written down no more often."""

GAP_S = 10.0
"""A pulse missed for so long: the database was away."""

STEADY_S = 20.0
"""After such a gap everybody gets this long to be heard of again before anything is called dead."""

KEPT_SETTLED_S = 86_400.0
KEPT_SILENT_S = 3_600.0
"""Settled leases and silent workers stay to be looked at for so long."""
