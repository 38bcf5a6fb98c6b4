"""Operations by chapter: each function is named after the operationId it serves.

A handler reads the exchange, calls the service and returns a JSON body (200) or an Answer.
"""
