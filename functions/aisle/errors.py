"""The errors that Aisle raises itself, under one base class.

A message has up to four parts, in whole sentences: what failed, what was given, what was expected,
what to do. The API maps these types in its error table, the command line to its exit codes.
"""


class AisleError(Exception):
    """The base of every error that Aisle raises itself."""


class DataError(AisleError):
    """A catalogue, a row or a file cannot be used as given."""


class InvalidProductError(DataError):
    """A product cannot be classified; `field` names the field at fault."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


class ConfigurationError(AisleError):
    """A setting, an environment variable or a settings file cannot be used as given."""


class NotAuthenticatedError(AisleError):
    """The API key is missing or not valid."""


class NotPermittedError(AisleError):
    """The API key is valid, but lacks the scope that the request needs."""


class BundleError(AisleError):
    """A model bundle is incomplete, was changed, or has a format that this version cannot read."""


class StoreError(AisleError):
    """The object store could not be reached, or refused the request."""


class StoreNotFoundError(StoreError):
    """There is no store at the address: the bucket or folder does not exist, or is empty."""


class StoreDeniedError(StoreError):
    """The store exists, but the caller lacks the permission or has no credentials."""


class StoreUnreachableError(StoreError):
    """The store did not answer."""


class ObjectNotFoundError(StoreError):
    """There is no object at the key, or the caller may not know whether there is one."""


class PreconditionFailedError(StoreError):
    """A conditional write failed: the object exists already, or has another version."""


class MalformedObjectError(StoreError):
    """An object in the store does not have the content that Aisle writes there."""


class PublicationRefusedError(AisleError):
    """The gate refused a model; the store is unchanged."""


class CloudError(AisleError):
    """AWS could not be reached, or refused the request."""
