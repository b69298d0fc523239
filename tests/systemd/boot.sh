#!/bin/sh
# Boots a copy of this machine's root with a real systemd as its first process.
#
#   unshare --fork --pid --mount --uts --ipc --net boot.sh FOLDER NAME PYTHON PACKAGES SOURCE
#
# FOLDER is an empty folder for a tmpfs; NAME a cgroup that is made below this process's own.
# What the copy writes goes to the tmpfs and is gone with the last process. PYTHON, PACKAGES and
# SOURCE are bound to /opt/python, /opt/packages and /opt/source, where the sandbox lets them be seen.
set -eu
folder=$1 name=$2 python=$3 packages=$4 source=$5

mount --make-rprivate /
# A cgroup of its own: two machines, or this one and its host, must not share system.slice.
mount -t tmpfs tmpfs "$folder"
mkdir "$folder/cgroup"
mount -t cgroup2 cgroup2 "$folder/cgroup"
own=$folder/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)/$name
mkdir -p "$own"
echo 0 > "$own/cgroup.procs"
umount "$folder/cgroup"
exec unshare --cgroup -- sh -euc '
  folder=$1 python=$2 packages=$3 source=$4
  root=$folder/root
  mkdir "$folder/upper" "$folder/work" "$root"
  mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" "$root"
  mkdir -p "$root/opt/python" "$root/opt/packages" "$root/opt/source"
  mount --bind "$python" "$root/opt/python"
  mount --bind "$packages" "$root/opt/packages"
  mount --bind "$source" "$root/opt/source"
  for one in python packages source; do mount -o remount,bind,ro "$root/opt/$one"; done
  # Filesystems of their own, which an overlay of / leaves out: a driver of a GPU, say.
  awk "\$5 ~ /^\/(usr|opt)\//{print \$5}" /proc/self/mountinfo | while read -r own; do
    mkdir -p "$root$own"
    mount --bind "$own" "$root$own"
  done
  mount -t proc proc "$root/proc"
  mount -t sysfs -o ro sysfs "$root/sys"
  mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
  mount -t tmpfs -o mode=755 tmpfs "$root/run"
  mount -t tmpfs tmpfs "$root/tmp"
  mount --rbind /dev "$root/dev"
  mount -t tmpfs tmpfs "$root/dev/shm"
  # What would meddle with the host: its devices, settings, modules and kernel filesystems.
  for unit in systemd-udevd.service systemd-udevd-kernel.socket systemd-udevd-control.socket \
      systemd-sysctl.service systemd-modules-load.service proc-sys-fs-binfmt_misc.automount \
      sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount \
      sys-fs-fuse-connections.mount dev-hugepages.mount dev-mqueue.mount systemd-random-seed.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
  done
  # A libpython that lay below a home folder is found where it is bound.
  echo /opt/python/lib > "$root/etc/ld.so.conf.d/img2imgd-tests.conf"
  # Not a chroot: from within one, nobody may make user namespaces (PrivateUsers=).
  cd "$root"
  pivot_root . .
  umount --lazy .
  exec env -i container=img2imgd PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --unit=basic.target
' sh "$folder" "$python" "$packages" "$source"
