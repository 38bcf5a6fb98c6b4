"""Latency profiles as YAML files; the file's name is the profile's name."""
