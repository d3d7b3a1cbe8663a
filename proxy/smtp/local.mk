# libsmtp.la: what stands in proxy/smtp
