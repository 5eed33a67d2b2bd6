"""What is done to a running cluster, and what its listeners hear of it."""
