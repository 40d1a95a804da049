"""Patches as they are posted, read strictly, and applied to the text of a tree in memory."""
