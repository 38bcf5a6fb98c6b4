"""Addresses of the service's web console."""

from urllib.parse import quote

_CONSOLE = "https://tinker.thinkingmachines.ai"


def session_page(session_id: str | None) -> str:
    """One session, or the list of all while there is none."""
    return f"{_CONSOLE}/sessions" + (f"/{session_id}" if session_id else "")


def training_run_page(run_id: str) -> str:
    """One training run."""
    return f"{_CONSOLE}/training_runs/{run_id}"


def checkpoint_page(run_id: str, checkpoint_id: str) -> str:
    """One checkpoint of a run."""
    return f"{_CONSOLE}/checkpoints/{quote(run_id, safe='')}/{quote(checkpoint_id, safe='')}"


def playground_page(path: str) -> str:
    """Where to chat with a checkpoint, by its `tinker://` path."""
    return f"{_CONSOLE}/playground?mode=checkpoint&checkpoint={quote(path, safe='')}"


def page_of(path: str) -> str:
    """The page of the checkpoint at a `tinker://RUN/KIND/NAME` path."""
    run_id, _, checkpoint_id = path.removeprefix("tinker://").partition("/")
    return checkpoint_page(run_id, checkpoint_id)
