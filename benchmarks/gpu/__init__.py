"""All questions about a GPU, asked by one command; see `__main__.py`."""
