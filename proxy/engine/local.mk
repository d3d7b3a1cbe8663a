# libengine.la: what stands in proxy/engine
