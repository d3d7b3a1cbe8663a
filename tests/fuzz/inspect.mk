# fuzz targets of inspect
