"""What the site of docs/ has beside the documents: links out of it, and pages that are made."""
