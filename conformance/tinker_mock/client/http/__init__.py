"""Requests and answers: transport, retries, credentials, streams."""
