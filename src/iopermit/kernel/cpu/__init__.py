"""The emulated processor: registers, execution, faults, and which registers are live."""
