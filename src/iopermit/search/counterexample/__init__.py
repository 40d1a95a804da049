"""From a path of the search to a schedule of single steps that full size confirms."""
