"""Verdicts as messages that people forward: mails, and comments on code hosts."""
