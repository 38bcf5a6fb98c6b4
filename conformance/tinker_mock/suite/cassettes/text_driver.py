"""Who runs the programs of the text endpoints: the packages of OpenAI and Anthropic."""

from typing import Any

from tinker_mock.suite.cassettes.driver import KEY, Driver

_RETRIES = 4


class TextDriver(Driver):
    """`client`: an `openai.OpenAI` or an `anthropic.Anthropic`."""

    def __init__(self, url: str, name: str) -> None:
        self.client: Any
        if name == "openai":
            import openai

            self.client = openai.OpenAI(
                base_url=f"{url}/oai/api/v1", api_key=KEY, max_retries=_RETRIES
            )
        else:
            import anthropic

            self.client = anthropic.Anthropic(
                base_url=f"{url}/anthropic/api", api_key=KEY, max_retries=_RETRIES
            )

    def close(self) -> None:
        self.client.close()
