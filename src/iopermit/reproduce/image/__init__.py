"""The image of a kernel: unpacking it, and where its structures have their members."""
