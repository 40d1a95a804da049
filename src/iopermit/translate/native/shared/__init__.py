"""What machine code and the search both know: labels, arrays, and their layout."""
