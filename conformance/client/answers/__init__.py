"""What servers answer, as dataclasses. Field names are the wire's."""
