# libmail.la: what stands in proxy/mail
