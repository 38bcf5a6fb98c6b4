"""What a session reports to the server's operators: its events, and whose fault a failure is."""
