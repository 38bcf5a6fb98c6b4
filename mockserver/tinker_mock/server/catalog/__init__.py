"""The base models on offer."""

from tinker_mock.server.catalog.catalog import Catalog, today_of
from tinker_mock.server.catalog.model import CatalogModel

__all__ = ["Catalog", "CatalogModel", "today_of"]
