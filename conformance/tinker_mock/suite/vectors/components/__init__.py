"""What vectors are about: functions `(input, entry) -> actual` by name, schemas beside them."""
