"""System 1: who has the floor, decided by rules in milliseconds. Pure and clocked: every time is passed in."""
