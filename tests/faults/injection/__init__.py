"""How faults are made for real, one kind a file; whatever is changed is put back at the end."""
