# PN_MILTER: libmilter, which has no pkg-config file. Gives MILTER_LIBS, and
# HAVE_MILTER_FD where it listens on a socket that is open already ("fd:N").
AC_DEFUN([PN_MILTER], [
	AC_CHECK_HEADER([libmilter/mfapi.h],, [AC_MSG_ERROR([no libmilter/mfapi.h])])
	pn_save_LIBS=$LIBS
	LIBS=
	AC_SEARCH_LIBS([smfi_setsymlist], [milter],, [AC_MSG_ERROR([no libmilter 8.14 or newer])], [-lpthread])
	MILTER_LIBS="$LIBS -lpthread"
	LIBS="$MILTER_LIBS $pn_save_LIBS"
	AC_CACHE_CHECK([whether libmilter takes an open socket], [pn_cv_milter_fd],
	    [AC_RUN_IFELSE([AC_LANG_PROGRAM([[
#include <libmilter/mfapi.h>
#include <stdio.h>
#include <sys/un.h>
]], [[
		struct sockaddr_un un = { .sun_family = AF_UNIX };
		struct smfiDesc d = { .xxfi_name = "probe", .xxfi_version = SMFI_VERSION };
		char name[32];
		int s = socket(AF_UNIX, SOCK_STREAM, 0);

		snprintf(name, sizeof(name), "fd:%d", s);
		return !(bind(s, (void *)&un, sizeof(un.sun_family)) == 0 &&
		    listen(s, 1) == 0 && smfi_register(d) == MI_SUCCESS &&
		    smfi_setconn(name) == MI_SUCCESS && smfi_opensocket(0) == MI_SUCCESS);]])],
		[pn_cv_milter_fd=yes], [pn_cv_milter_fd=no], [pn_cv_milter_fd=no])])
	LIBS=$pn_save_LIBS
	AS_IF([test "$pn_cv_milter_fd" = yes],
	    [AC_DEFINE([HAVE_MILTER_FD], [1], [libmilter listens on "fd:N", a socket that is open.])])
	AC_SUBST([MILTER_LIBS])
])
