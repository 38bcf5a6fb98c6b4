"""Events for the server's operators: sessions, failures, how long things took."""
