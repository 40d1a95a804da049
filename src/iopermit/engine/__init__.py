"""What the searches of designs and of kernel trees share: limits, progress, scenarios, results."""
