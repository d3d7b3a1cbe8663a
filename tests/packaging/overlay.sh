#!/bin/bash
# overlay.sh FOLDER DEBS SCRIPT - runs SCRIPT in a root of its own: the
# machine's below, a tmpfs in FOLDER above. Called by debian.py in mount,
# network and pid namespaces, with which all of it goes.
set -eu
root=$1/m
# Nothing mounted here is for others; in a chroot / is no mount of its own.
mount --make-rprivate / 2>/dev/null ||
    mount --make-private "$(findmnt -nT "$1" -o TARGET)"
mount -t tmpfs tmpfs "$1"
mkdir "$1/u" "$1/w" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/u,workdir=$1/w" "$root"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs tmpfs "$root/run"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mkdir "$root/tmp/debs"
cp "$2"/*.deb "$2/postern.conf" "$root/tmp/debs"
cp "$3" "$root/tmp/inside"
ip link set lo up
exec chroot "$root" /bin/bash /tmp/inside
