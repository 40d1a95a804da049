"""From the source of a design to typed statements: loading, checking the language, lowering."""
