#!/bin/bash
# Runs test/store/nfs.test.ts and test/faults/nfs.test.ts on a real NFS: in a Linux kernel of its own (user-mode Linux), which runs as
# root in a few seconds, has the files of this machine, and is server and clients of one export. Needs Debian's packages; installs nothing.
set -euo pipefail
project=$(cd "$(dirname "$0")/../../.." && pwd)
if [ "${1:-}" != inside ]; then
  work=$(mktemp -d /tmp/colloquy-nfs-XXXXXX)
  trap 'rm -rf "$work"' EXIT
  (cd "$work" && apt-get download user-mode-linux nfs-kernel-server nfs-common rpcbind keyutils kmod libkmod2 \
    libnfsidmap1 libtirpc3 libtirpc-common libevent-core-2.1-7 libdevmapper1.02.1 libkeyutils1 libwrap0 \
    && for each in *.deb; do dpkg -x "$each" root; done)
  ln -sf ../bin/kmod "$work/root/sbin/modprobe"
  mkdir -p "$work/root/lib" && ln -s "$work/root/usr/lib/uml/modules" "$work/root/lib/modules"
  printf '#!/bin/bash\nexec bash %q inside %q\n' "$project/test/store/nfs/run.sh" "$work" > "$work/init"
  chmod +x "$work/init"
  "$work/root/usr/bin/linux.uml" mem=3G rootfstype=hostfs rootflags=/ rw init="$work/init" \
    con=null con0=null,fd:1 uml_dir="$work/uml" quiet < /dev/null
  exit "$(cat "$work/ended" 2> /dev/null || echo 1)"
fi

work=$2
root=$work/root
export PATH=$root/sbin:$root/usr/sbin:$root/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin HOME=/root
export LD_LIBRARY_PATH=$root/lib/x86_64-linux-gnu:$root/usr/lib/x86_64-linux-gnu
trap 'sync; echo o > /proc/sysrq-trigger; sleep 5' EXIT
mount -t proc proc /proc
mount -t sysfs sys /sys
# What the servers write goes into memory, never into the files of this machine.
for each in /run /srv /dev/shm; do mkdir -p "$each" && mount -t tmpfs tmp "$each"; done
cp -a /etc /run/etc && mount --bind /run/etc /etc && cp -a "$root"/etc/* /etc/ && touch /etc/exports
mount -t tmpfs tmp /var/lib && mkdir -p /var/lib/nfs/{sm,v4recovery,rpc_pipefs} && touch /var/lib/nfs/{etab,rmtab}
echo nfs > /proc/sys/kernel/hostname && echo 127.0.0.1 nfs >> /etc/hosts
ip link set lo up 2> /dev/null || python3 -c "import fcntl,socket,struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh', b'lo', 0x49))"
for each in nfsd nfsv4; do modprobe -d "$root" "$each"; done
mkdir -p /srv/export /srv/{a,b,c} && chmod 777 /srv/export
mount -t nfsd nfsd /proc/fs/nfsd
rpcbind 2> /dev/null || true
exportfs -o rw,no_root_squash,fsid=0,no_subtree_check,insecure 127.0.0.1:/srv/export
rpc.mountd > /dev/null 2>&1
echo 10 > /proc/fs/nfsd/nfsv4leasetime && echo 10 > /proc/fs/nfsd/nfsv4gracetime
# All mounts are one client to the server, which would let each of them keep files that another one removes.
echo 0 > /proc/sys/fs/leases-enable
rpc.nfsd -N 3 8
echo Y > /proc/fs/nfsd/v4_end_grace
for each in a,noac b,noac c,actimeo=1; do
  mount.nfs 127.0.0.1:/ "/srv/${each%%,*}" -o "vers=4.2,nosharecache,${each#*,}"
done
unset LD_LIBRARY_PATH
export COLLOQUY_NFS_MOUNTS=/srv/a,/srv/b,/srv/c TMPDIR=/run
cd "$project"
node node_modules/vitest/vitest.mjs run --testTimeout=120000 "${@:3}" test/store/nfs.test.ts test/faults/nfs.test.ts && echo 0 > "$work/ended" || echo 1 > "$work/ended"
