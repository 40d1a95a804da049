"""Runs kernel code on an emulated CPU, up to the next scheduling point."""
