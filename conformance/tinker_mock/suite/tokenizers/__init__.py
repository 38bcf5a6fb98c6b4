"""The tokenizer chapter: what any tokenizer behind the facade must do."""
