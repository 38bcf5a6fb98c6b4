"""What answers must be, computed from what the wire gave: numpy in float64, nothing of a server."""
