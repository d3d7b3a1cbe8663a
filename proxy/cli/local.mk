# libcli.la: what stands in proxy/cli
