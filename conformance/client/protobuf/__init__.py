"""Between this client's types and the wire's protobuf messages."""
