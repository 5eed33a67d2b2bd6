"""What happens to a conversation once it is over: rows that say what is to be done, and the work itself."""
