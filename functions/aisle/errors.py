"""Everything that can go wrong on purpose, under one base class.

A message has four parts, in whole sentences: what failed, what was given, what was expected,
what to do. The edges (the API's error table, the command line's exit codes) map these types once.
"""


class AisleError(Exception):
    """The base of every error that Aisle raises itself."""


class DataError(AisleError):
    """A catalogue, a row or a file that cannot be used as given."""


class InvalidProductError(DataError):
    """A product that cannot be classified; `field` names the culprit."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


class ConfigurationError(AisleError):
    """A setting, a variable or a file of settings that cannot be used as given."""


class NotAuthenticatedError(AisleError):
    """No API key was presented, or one that opens nothing."""


class NotPermittedError(AisleError):
    """The API key is good, but not for this."""


class BundleError(AisleError):
    """A model bundle that is incomplete, changed, or of a format this version cannot read."""


class StoreError(AisleError):
    """The object store could not be reached, or refused."""


class StoreNotFoundError(StoreError):
    """There is no store at the address: no such bucket, no such folder, or nothing in it."""


class StoreDeniedError(StoreError):
    """The store is there, but the caller may not do this, or has no credentials."""


class StoreUnreachableError(StoreError):
    """The store did not answer."""


class ObjectNotFoundError(StoreError):
    """The key holds no object, or the caller may not know whether it does."""


class PreconditionFailedError(StoreError):
    """A conditional write lost: the object exists already, or is not the version expected."""


class MalformedObjectError(StoreError):
    """An object of the store that is not what Aisle writes there."""


class PublicationRefusedError(AisleError):
    """The gate refused a model; the store is as it was."""


class CloudError(AisleError):
    """AWS could not be reached, or refused."""
