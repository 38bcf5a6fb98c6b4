"""Text in and out of the simulator: tokenizers, the OpenAI- and Anthropic-compatible endpoints."""
