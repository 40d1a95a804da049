"""The processors that programs run on: Unicorn and KVM behind one interface."""
