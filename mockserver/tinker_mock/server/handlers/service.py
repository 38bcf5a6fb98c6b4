"""What the server offers and how clients should talk to it."""

from typing import Any

from tinker_mock.server.service.backend import Backend
from tinker_mock.server.wire.exchange import Exchange


def healthz(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Alive."""
    return {"status": "ok"}


def get_server_capabilities(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """The base models on offer."""
    return {
        "supported_models": [
            {
                "model_name": model.name,
                "max_context_length": model.context_length,
                "trainable": model.trainable,
                "sampleable": model.sampleable,
            }
            for model in backend.catalog.on_offer()
        ]
    }


def get_client_config(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """The run's flags; what is absent has the SDK's default."""
    return dict(backend.settings.client_config)


def get_dynamic_config(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """The run's dynamic flags; what is absent has the SDK's default."""
    return dict(backend.settings.dynamic_config)
