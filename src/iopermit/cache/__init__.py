"""What is kept between runs, and the care that is taken before any of it is used again."""
