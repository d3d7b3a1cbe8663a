# What contrib/debian/build makes a package of.
EXTRA_DIST += contrib/debian/build contrib/debian/changelog \
	contrib/debian/control contrib/debian/copyright \
	contrib/debian/postern.install \
	contrib/debian/postern.postinst contrib/debian/postern.postrm contrib/debian/postern-dev.install \
	contrib/debian/rules contrib/debian/source/format
