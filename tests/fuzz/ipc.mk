# fuzz targets of ipc
