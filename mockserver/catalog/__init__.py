"""The base models on offer."""

from mockserver.catalog.catalog import Catalog, CatalogModel

__all__ = ["Catalog", "CatalogModel"]
