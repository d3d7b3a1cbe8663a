# unit tests of the milter door
