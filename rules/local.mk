# librules.la
