"""Weights as bytes: the mock's own format and PEFT's."""
