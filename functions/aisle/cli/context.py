"""What all commands share: the store and the model it serves."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aisle.store import Store, open_store

if TYPE_CHECKING:
    from aisle.model.bundle import Bundle
    from aisle.model.classifier import Classifier

DEFAULT_STORE = ".aisle"


@dataclass(frozen=True, slots=True)
class Context:
    """The global options, given before the command."""

    store_url: str

    def store(self) -> Store:
        """Open the store."""
        return open_store(self.store_url)

    def bundle(self) -> "Bundle":
        """Return the serving bundle: the published one, else the packaged one."""
        from aisle.registry import bundles

        return bundles.current_bundle(self.store())

    def classifier(self) -> "Classifier":
        """Load the serving model."""
        from aisle.model.classifier import Classifier

        return Classifier(self.bundle())
