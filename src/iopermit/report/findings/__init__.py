"""What identifies a finding: its code, its fingerprint, and how its files are named."""
