"""How a timbre is written: speakers of the bundled voice and their shares."""

TIMBRE = r"^[a-z][a-z0-9_-]*(:\d+(\.\d+)?)?( [a-z][a-z0-9_-]*(:\d+(\.\d+)?)?)*$"
"""`slt`, `slt:2 alto:1`. Which speakers there are is known by the checkpoint alone."""
