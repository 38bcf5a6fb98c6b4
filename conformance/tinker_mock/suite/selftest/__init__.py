"""The parts of `conformance self`."""
