# What ./configure --enable-... of postern means. Results go out by AC_SUBST as
# PN_CFLAGS and PN_LDFLAGS and are never glued into the user's own CFLAGS.

# PN_TRY_CFLAG(FLAG): append FLAG to PN_CFLAGS where the compiler knows it.
AC_DEFUN([PN_TRY_CFLAG], [
  AX_SAVED_CFLAGS=$CFLAGS
  CFLAGS="$CFLAGS -Werror $1"
  AC_MSG_CHECKING([whether $CC takes $1])
  AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
    [AC_MSG_RESULT([yes]); PN_CFLAGS="$PN_CFLAGS $1"], [AC_MSG_RESULT([no])])
  CFLAGS=$AX_SAVED_CFLAGS
])

# PN_TRY_LDFLAG(FLAG): append FLAG to PN_LDFLAGS where the linker knows it.
AC_DEFUN([PN_TRY_LDFLAG], [
  AX_SAVED_LDFLAGS=$LDFLAGS
  LDFLAGS="$LDFLAGS $1"
  AC_MSG_CHECKING([whether the linker takes $1])
  AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
    [AC_MSG_RESULT([yes]); PN_LDFLAGS="$PN_LDFLAGS $1"], [AC_MSG_RESULT([no])])
  LDFLAGS=$AX_SAVED_LDFLAGS
])

AC_DEFUN([PN_WARNINGS], [
  AC_SUBST([PN_CFLAGS])
  AC_SUBST([PN_LDFLAGS])
  PN_CFLAGS="-std=gnu17 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wvla"
  AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [warnings are errors])])
  AS_IF([test "x$enable_werror" = xyes], [PN_CFLAGS="$PN_CFLAGS -Werror"])
])

AC_DEFUN([PN_SANITIZERS], [
  AC_ARG_ENABLE([sanitizers],
    [AS_HELP_STRING([--enable-sanitizers@<:@=LIST@:>@], [build with sanitizers (address,undefined)])])
  AS_CASE(["x$enable_sanitizers"], [x|xno], [pn_sanitize=], [xyes], [pn_sanitize=address,undefined],
    [pn_sanitize=$enable_sanitizers])
  AS_IF([test -n "$pn_sanitize"], [
    PN_CFLAGS="$PN_CFLAGS -g -fno-omit-frame-pointer -fsanitize=$pn_sanitize -fno-sanitize-recover=all"
    PN_LDFLAGS="$PN_LDFLAGS -fsanitize=$pn_sanitize"
    AC_DEFINE([WITH_SANITIZERS], [1], [The sanitizers' runtime needs system calls the sandbox forbids.])])
])

AC_DEFUN([PN_HARDENING], [
  AC_ARG_ENABLE([hardening], [AS_HELP_STRING([--disable-hardening],
    [no PIE, RELRO, stack protector, _FORTIFY_SOURCE])])
  AS_IF([test "x$enable_hardening" != xno], [
    PN_TRY_CFLAG([-fPIE])
    PN_TRY_LDFLAG([-pie])
    PN_TRY_LDFLAG([-Wl,-z,relro,-z,now])
    PN_TRY_CFLAG([-fstack-protector-strong])
    PN_TRY_CFLAG([-fstack-clash-protection])
    AS_IF([test -z "$pn_sanitize"], [PN_TRY_CFLAG([-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2])])])
])

AC_DEFUN([PN_FUZZERS], [
  AC_ARG_ENABLE([fuzzers], [AS_HELP_STRING([--enable-fuzzers],
    [build tests/fuzz with libFuzzer (needs clang and --enable-sanitizers)])])
  AM_CONDITIONAL([FUZZERS], [test "x$enable_fuzzers" = xyes])
  AS_IF([test "x$enable_fuzzers" = xyes], [
    PN_CFLAGS="$PN_CFLAGS -g -fsanitize=fuzzer-no-link"
    AC_SUBST([FUZZ_LDFLAGS], [-fsanitize=fuzzer])])
])

AC_DEFUN([PN_FAULT_HOOKS], [
  AC_ARG_ENABLE([fault-hooks], [AS_HELP_STRING([--enable-fault-hooks],
    [stop at named points when a test asks; never for real use])])
  AM_CONDITIONAL([FAULT_HOOKS], [test "x$enable_fault_hooks" = xyes])
  AS_IF([test "x$enable_fault_hooks" = xyes],
    [AC_DEFINE([FAULT_HOOKS], [1], [Named stopping points for tests are compiled in.])])
])

AC_DEFUN([PN_COVERAGE], [
  AC_ARG_ENABLE([coverage], [AS_HELP_STRING([--enable-coverage],
    [say how much of each parser its fuzz seeds reach (needs clang, llvm)])])
  AM_CONDITIONAL([COVERAGE], [test "x$enable_coverage" = xyes])
  AS_IF([test "x$enable_coverage" = xyes], [
    PN_CFLAGS="$PN_CFLAGS -g -fprofile-instr-generate -fcoverage-mapping"
    PN_LDFLAGS="$PN_LDFLAGS -fprofile-instr-generate"])
])

# PN_PSL_BUILTIN: the inspector opens no file, so libpsl must bring its list.
AC_DEFUN([PN_PSL_BUILTIN], [
	pn_save_CFLAGS=$CFLAGS pn_save_LIBS=$LIBS
	CFLAGS="$CFLAGS $PSL_CFLAGS" LIBS="$LIBS $PSL_LIBS"
	AC_CACHE_CHECK([whether libpsl has the list built in], [pn_cv_psl_builtin],
	    [AC_RUN_IFELSE([AC_LANG_PROGRAM([[#include <libpsl.h>]],
		[[return psl_builtin() ? 0 : 1;]])],
		[pn_cv_psl_builtin=yes], [pn_cv_psl_builtin=no],
		[pn_cv_psl_builtin=yes])])
	CFLAGS=$pn_save_CFLAGS LIBS=$pn_save_LIBS
	AS_IF([test "$pn_cv_psl_builtin" = no],
	    [AC_MSG_ERROR([libpsl was built without a list of its own])])
])
