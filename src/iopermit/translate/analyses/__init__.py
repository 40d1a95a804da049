"""What is found out about a model before the search: each reduction rests on one of these."""
