"""A model as Promela, so that Spin, an independent checker, can search it too."""
