"""Not asking for more than the server, or this machine, can take."""
