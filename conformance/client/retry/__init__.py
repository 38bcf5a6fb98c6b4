"""When to try again, how long to wait, and when to stop."""
