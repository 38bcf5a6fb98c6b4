"""Between dataclasses and JSON values."""
