"""What this machine is, what is installed on it, what is pinned, and which profiles therefore run here."""
