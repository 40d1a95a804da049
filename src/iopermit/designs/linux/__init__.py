"""The designs that Linux has had, or was about to have, one file per stage."""
