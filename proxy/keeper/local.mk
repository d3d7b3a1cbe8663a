# libkeeper.la: what stands in proxy/keeper
