"""A client's life at one server: settings it was given, its session, its heartbeat."""
