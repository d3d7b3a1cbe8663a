# fuzz targets of rules
