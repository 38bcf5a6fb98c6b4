"""The addresses in the package's metadata: those of the repository that builds the release."""

import os
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

PAGES = {
    "Repository": "",
    "Documentation": "#readme",
    "Changelog": "/blob/HEAD/CHANGELOG.md",
    "Issues": "/issues",
    "Security": "/security/policy",
}


class ProjectAddresses(MetadataHookInterface):
    """Fills `project.urls` from what the build service says (`GITHUB_*`); elsewhere it is empty."""

    def update(self, metadata: dict[str, Any]) -> None:
        server, name = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_REPOSITORY")
        if server and name:
            home = f"{server}/{name}"
            metadata["urls"] = {title: home + page for title, page in PAGES.items()}
        else:
            metadata["urls"] = {}
