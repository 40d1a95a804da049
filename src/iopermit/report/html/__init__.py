"""Reports as pages of HTML: one file each, with drawings, without network or further files."""
