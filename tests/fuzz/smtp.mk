# fuzz targets of smtp
