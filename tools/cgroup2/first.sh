#!/bin/busybox sh
# The first program of the guest: finds its disk and gives over to what is on it.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
for name in virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk; do
    [ ! -f "/$name.ko" ] || insmod "/$name.ko"
done
waited=0
while [ ! -b /dev/vdb ] && [ "$waited" -lt 50 ]; do
    sleep 0.1
    waited=$((waited + 1))
done
mount -t ext4 /dev/vda /root
mount -t ext4 /dev/vdb /root/tests
mount --move /dev /root/dev
umount /proc
exec switch_root /root /bin/bash /tests/run
