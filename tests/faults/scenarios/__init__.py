"""What is broken and what must hold then, one concern a file. The numbers are those of the list
in `tests/faults/catalogue.py`; figures that are given as limits come from there too."""
