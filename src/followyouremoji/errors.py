"""Errors that a user can act on.

Everything that a user's input can cause derives from `UserError`: the command line prints its message as one line
and ends with exit code 2. The message says which file, what is wrong with it, and what to do.
"""


class UserError(Exception):
    """Something the user gave cannot be used; the message is written for the user."""


class PictureError(UserError):
    """A picture cannot be read or written."""


class ClipError(UserError):
    """A clip cannot be read or written."""


class FaceNotFound(UserError):
    """No face was found where one is needed."""


class MotionError(UserError):
    """A motion file or a driving motion cannot be used."""


class WeightsError(UserError):
    """Weights are missing, incomplete, damaged or of another layout."""


class SettingsError(UserError):
    """A setting has a value that cannot be used."""


class DataError(UserError):
    """Training data cannot be read, or is not what it should be."""
