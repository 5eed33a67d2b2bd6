"""A deployment on one machine: PostgreSQL, Redis, web processes, workers and jobs, started privately for a trial."""
