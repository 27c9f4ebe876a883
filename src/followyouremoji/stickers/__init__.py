"""Animated stickers for messengers and chats: what each takes, how they look, files under its limits, packs."""
