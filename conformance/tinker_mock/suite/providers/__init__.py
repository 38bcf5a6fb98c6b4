"""Providers that serve a Kimi model behind an OpenAI-compatible address, judged by K2's rules."""
