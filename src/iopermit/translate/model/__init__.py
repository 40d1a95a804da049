"""The intermediate form of a design: its nodes, and what can be read off them."""
