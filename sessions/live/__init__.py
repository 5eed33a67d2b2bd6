"""Live conversations of this process: who holds them, what is said in them, what goes down the socket."""
