"""Sampling from base models and checkpoints."""
