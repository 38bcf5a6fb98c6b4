"""A conversation is rendered by the chat template of the model's own tokenizer, token for token."""

import shutil
from pathlib import Path
from typing import Any

import httpx
import jinja2
import tokenizers

from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings

FIXTURE = Path(__file__).parents[3] / "fixtures" / "tokenizers" / "bytelevel_small"
TEMPLATE = (
    "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant] {% endif %}"
)
SAID = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hello there, ünïcode?"},
]


def test_a_prompt_has_the_tokens_of_the_models_own_template(tmp_path: Path) -> None:
    """Rendered here by jinja2 and the tokenizers library, and given as ids, it is the same prompt:
    of the same length, and answered the same."""
    folder = tmp_path / "tokenizer"
    shutil.copytree(FIXTURE, folder)
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    library = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    row = (
        f"{{vocabulary_size: {library.get_vocab_size()}, context_length: 4096, end_tokens: [1], "
        f"tokenizer_id: {folder}}}"
    )
    (tmp_path / "models.yaml").write_text(f"models:\n  me/small: {row}\n")
    template = jinja2.Environment(trim_blocks=True, lstrip_blocks=True).from_string(TEMPLATE)
    text = template.render(messages=SAID, add_generation_prompt=True)
    ids = library.encode(text, add_special_tokens=False).ids
    with RunningServer(Settings(port=0, models=tmp_path / "models.yaml")) as server:

        def asked(path: str, **body: Any) -> dict[str, Any]:
            told = {"model": "me/small", "max_tokens": 12, "temperature": 0, **body}
            headers = {"Authorization": "Bearer tml-template"}
            url = f"{server.url}/oai/api/v1/{path}"
            answer = httpx.post(url, json=told, headers=headers, timeout=60)
            return dict(answer.raise_for_status().json())

        chat, plain = asked("chat/completions", messages=SAID), asked("completions", prompt=ids)
    assert chat["usage"]["prompt_tokens"] == plain["usage"]["prompt_tokens"] == len(ids)
    assert chat["choices"][0]["message"]["content"] == plain["choices"][0]["text"] != ""
