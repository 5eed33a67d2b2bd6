"""What an operator sees of the running deployment, and may do about it. Never what is said."""
