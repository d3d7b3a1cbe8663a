# installed pages and samples
EXTRA_DIST += contrib/setup contrib/check contrib/m4/postern.m4
