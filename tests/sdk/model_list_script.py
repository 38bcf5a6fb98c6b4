"""Lists models with the SDK's command line, by a part of their names; prints what it said."""

import json

from click.testing import CliRunner
from tinker.cli.__main__ import main_cli


def listed(*words):
    ran = CliRunner().invoke(main_cli, ["--format", "json", "model", "list", *words])
    models = [] if ran.exit_code else json.loads(ran.stdout)["models"]
    names = [one["model_name"] for one in models]
    return {"exit": ran.exit_code, "names": names}


told = {"all": listed(), "part": listed("qwen3.8"), "nothing": listed("no-such-model")}
print(json.dumps(told), flush=True)
