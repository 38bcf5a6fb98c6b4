"""What goes wrong with tokenizers, said with a stable code and a fix."""


class TokenizerError(ValueError):
    """A tokenizer that cannot be loaded, or an input it cannot take.

    `code` is stable (`invalid_tiktoken_model`, `unknown_token_id`, …), `message` one sentence,
    `fix` what to do about it, `detail` the offending value where there is one.
    """

    def __init__(self, code: str, message: str, *, fix: str = "", detail: object = None) -> None:
        super().__init__(f"{message} {fix}".strip() if fix else message)
        self.code = code
        self.message = message
        self.fix = fix
        self.detail = detail
