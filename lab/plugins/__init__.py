"""Stand-ins for Pulumi plugins that cannot be downloaded, as plugins in Python."""
