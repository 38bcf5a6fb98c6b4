"""The wire, described once, and the loader that everything else derives from."""
