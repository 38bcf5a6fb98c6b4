"""Audits: which contract does a client, or a release of the Tinker SDK, really keep?"""
