"""The debugger: QEMU's gdb stub, asked and told to go on; it writes nothing."""
