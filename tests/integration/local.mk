# tests with real servers
