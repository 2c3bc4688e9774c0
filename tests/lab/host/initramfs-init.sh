#!/bin/sh
# First program of the lab's host: reaches the disk and the shared folder, and goes on with the folder's boot script.
mount -t devtmpfs devtmpfs /dev
mount -t proc proc /proc
mount -t sysfs sysfs /sys
modprobe -a virtio_pci virtio_blk ext4 crc32c_generic 9p 9pnet_virtio
tries=0
until [ -b /dev/vda ] || [ $tries = 100 ]; do
	sleep 0.1
	tries=$((tries + 1))
done
mount -t ext4 /dev/vda /mnt
mkdir -p /mnt/lab
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 lab /mnt/lab
for folder in dev proc sys; do mount --move /$folder /mnt/$folder; done
exec switch_root /mnt /bin/sh /lab/boot.sh
