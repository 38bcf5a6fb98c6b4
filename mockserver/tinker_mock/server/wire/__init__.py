"""What goes over the wire, as data: exchanges, dialects, error shapes, results, events."""
