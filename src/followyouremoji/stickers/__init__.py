"""Stickers: a portrait's head without its background, animated, in the kinds of files that messengers take."""
