# the milter door
EXTRA_DIST += proxy/milter/milter.h contrib/m4/milter.m4
