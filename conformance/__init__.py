"""The judge (suite) and its subjects (client, tokenizer, kimi)."""
