"""How a cluster comes to be: found, or formed by seeds; and what a birth has left, ended."""
