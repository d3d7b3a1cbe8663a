# PN_MILTER: libmilter, which has no pkg-config file. Gives MILTER_LIBS, and
# HAVE_MILTER_FD where it listens on a socket that is open already ("fd:N").
# MILTER_FIBERS (proxy/milter/calls.h) needs that, its archive (MILTER_ARCHIVE)
# and objcopy; and that it waits in no call but those that calls.syms renames.
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
	AC_ARG_ENABLE([milter-fibers], [AS_HELP_STRING([--disable-milter-fibers],
	    [leave libmilter its own threads (needed without its static archive)])],,
	    [enable_milter_fibers=auto])
	AC_CHECK_TOOL([OBJCOPY], [objcopy])
	AC_CACHE_CHECK([for an archive of libmilter], [pn_cv_milter_archive], [
		pn_cv_milter_archive=`$CC -print-file-name=libmilter.a 2>/dev/null`
		AS_IF([test ! -f "$pn_cv_milter_archive" || $NM -u "$pn_cv_milter_archive" 2>/dev/null |
		    $SED -n 's/^ *U //p' |
		    $GREP -E '^(_*pthread_|thrd_|cnd_|p?select|e?p?poll|__p?poll|recv|__recv|send|__?read|readv|write|accept|pipe|u?sleep|nanosleep|clock_nanosleep|sig.*wait|pause|fork|system|popen)' |
		    $GREP -v -E '^pthread_(mutex_.*|self)$' |
		    $GREP -v -x -F "`$SED 's/ .*//' "$srcdir/proxy/milter/calls.syms"`" >&AS_MESSAGE_LOG_FD],
		    [pn_cv_milter_archive=no])])
	AS_IF([test "$pn_cv_milter_archive" = no || test "$pn_cv_milter_fd" = no || test -z "$OBJCOPY"],
	    [AS_IF([test "$enable_milter_fibers" = yes],
		[AC_MSG_ERROR([--enable-milter-fibers wants objcopy, and of libmilter an archive that takes an open socket])])
	    enable_milter_fibers=no])
	AC_SUBST([MILTER_ARCHIVE], [$pn_cv_milter_archive])
	AM_CONDITIONAL([MILTER_FIBERS], [test "$enable_milter_fibers" != no])
])
