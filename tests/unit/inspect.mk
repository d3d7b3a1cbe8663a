# unit tests of inspect
