# Tests that kill, and tests of what is on the disk when it happens.
