# unit tests of proxy
