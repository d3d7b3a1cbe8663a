# built-in modules
