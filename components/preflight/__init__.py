"""What can be known to fail, asked before anything is touched."""
