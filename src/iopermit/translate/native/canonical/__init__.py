"""The canonical representative of a state: forgetting and renaming."""
