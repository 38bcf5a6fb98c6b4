"""REST methods under the names that the SDKs and the Elixir client have for them."""

from tinker_mock.client.rest.client import AsyncRestClient
from tinker_mock.client.types.records import ArchiveUrl


class RenamedRestClient(AsyncRestClient):
    """`AsyncRestClient` with its methods' other names."""

    async def delete_checkpoint_from_tinker_path(self, tinker_path: str) -> None:
        """As `delete_checkpoint(tinker_path)`."""
        await self.delete_checkpoint(tinker_path)

    async def publish_checkpoint_from_tinker_path(self, tinker_path: str) -> None:
        """As `publish_checkpoint(tinker_path)`."""
        await self.publish_checkpoint(tinker_path)

    async def unpublish_checkpoint_from_tinker_path(self, tinker_path: str) -> None:
        """As `unpublish_checkpoint(tinker_path)`."""
        await self.unpublish_checkpoint(tinker_path)

    async def set_checkpoint_ttl_from_tinker_path(
        self, tinker_path: str, ttl_seconds: int | None
    ) -> None:
        """As `set_checkpoint_ttl(tinker_path, ttl_seconds)`."""
        await self.set_checkpoint_ttl(tinker_path, ttl_seconds)

    async def get_checkpoint_archive_url_from_tinker_path(self, tinker_path: str) -> ArchiveUrl:
        """As `get_checkpoint_archive_url(tinker_path)`."""
        return await self.get_checkpoint_archive_url(tinker_path)

    async def delete_checkpoint_by_tinker_path(self, tinker_path: str) -> None:
        """As `delete_checkpoint(tinker_path)`."""
        await self.delete_checkpoint(tinker_path)

    async def get_checkpoint_archive_url_by_tinker_path(self, tinker_path: str) -> ArchiveUrl:
        """As `get_checkpoint_archive_url(tinker_path)`."""
        return await self.get_checkpoint_archive_url(tinker_path)

    async def assign_session_project(self, session_id: str, project_id: str) -> None:
        """As `set_session_project(session_id, project_id)`."""
        await self.set_session_project(session_id, project_id)
