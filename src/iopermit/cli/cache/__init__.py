"""The verb about what is kept between runs."""
