# installed pages and samples
