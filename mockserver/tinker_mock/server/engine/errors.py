"""The error the engine raises for a request it cannot serve."""


class EngineError(ValueError):
    """A request broke a rule of the engine.

    `field` is the path of the field inside the request (`data[3].loss_fn_inputs.weights`),
    `rule` says what was expected and what came, `fix` what to send instead. `code` is the
    service's name for the fault, where it has one.
    """

    code = ""

    def __init__(self, field: str, rule: str, fix: str) -> None:
        super().__init__(f"{field}: {rule}. {fix}")
        self.field = field
        self.rule = rule
        self.fix = fix


class NonFinite(EngineError):
    """A number that has to be finite is not."""

    code = "NonFiniteInTensor"
