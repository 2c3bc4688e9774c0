// Shares and limits of the host's block I/O that the guest as a whole gets.

import { str, uint, uint64 } from "@virtkit/xml/codec";
import { element, type Infer, leaf, list } from "@virtkit/xml/schema";

const device = element({
	path: leaf(str, { required: true, doc: "Path of the host's block device." }),
	weight: leaf(uint, { absent: 0, doc: "Share of the device's time, relative to other guests." }),
	read_iops_sec: leaf(uint, { absent: 0, doc: "Reads a second." }),
	write_iops_sec: leaf(uint, { absent: 0, doc: "Writes a second." }),
	read_bytes_sec: leaf(uint64, { absent: 0n, doc: "Bytes read a second." }),
	write_bytes_sec: leaf(uint64, { absent: 0n, doc: "Bytes written a second." }),
});

type Limits = Omit<Infer<typeof device>, "path">;
const limits = ({ weight, read_iops_sec, write_iops_sec, read_bytes_sec, write_bytes_sec }: Limits): boolean =>
	Boolean(weight || read_iops_sec || write_iops_sec || read_bytes_sec || write_bytes_sec);

export const blkiotune = element(
	{
		weight: leaf(uint, { absent: 0, doc: "Share of the host's block I/O, relative to other guests." }),
		device: list(device, { doc: "Shares and limits on one block device." }),
	},
	{
		onRead(value) {
			value.device = value.device.filter(limits);
		},
	},
);

export type BlkiotuneDef = Infer<typeof blkiotune>;
