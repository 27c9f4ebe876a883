"""Files as the commands' tests have them."""

from tests.apps.conftest import clip, model  # noqa: F401
