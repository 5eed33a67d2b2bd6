"""The step engine: many callers of one checkpoint, advanced together one frame per tick."""
