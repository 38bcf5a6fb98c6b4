"""What a client tells about itself: events, queue states, spans."""
