"""Ways to run the mock: a server on a socket, in a thread, in process, under pytest."""
