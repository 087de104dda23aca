"""What the functions' web interfaces share: problems, body checks, the application, its docs."""
