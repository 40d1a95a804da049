"""The JSON schemas of what the verbs print with `--json`; iopermit.report.json reads them."""
