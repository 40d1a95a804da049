"""From the source of a design to a model, and on to native code and to Promela."""
