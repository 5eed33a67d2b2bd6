"""Sound in, sound out: plain Python and torch, without Django and without a database.

Public and torch-free: `inference.protocol`, `inference.client`, `inference.errors`. Everything else is
reached through a worker.
"""
