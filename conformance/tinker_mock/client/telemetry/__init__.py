"""What a session reports to the server operators: its events, and whose fault a failure is."""
