# libinspect.la: what stands in proxy/inspect
