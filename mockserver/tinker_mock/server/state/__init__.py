"""What the server knows, as plain records: one place to look, snapshot and restore."""
