"""Verdicts for readers elsewhere: mails, comments on code hosts, trace viewers."""
