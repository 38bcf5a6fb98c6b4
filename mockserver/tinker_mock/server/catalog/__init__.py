"""The base models on offer."""

from tinker_mock.server.catalog.catalog import Catalog, CatalogModel

__all__ = ["Catalog", "CatalogModel"]
