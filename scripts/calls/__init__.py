"""Callers over the real protocol, cheap enough that one core holds hundreds of them."""
