"""The sub-commands of `tinker-mock conformance`."""
