// Shared memory between guests (ivshmem).

import { integer, oneOf, onOff, str } from "@virtkit/xml/codec";
import { childNamed } from "@virtkit/xml/node";
import { documentError } from "@virtkit/xml/read";
import { readAmount } from "@virtkit/xml/scaled";
import { attr, child, element, type Infer, type Schema, special } from "@virtkit/xml/schema";
import { deviceInfo } from "./device-common.ts";
import { sanitizedPath } from "./sanitized-path.ts";

const MIB = 1024 * 1024;

/** `<size unit='M'>`: bytes in the definition, written in MiB. */
const size = special<number>({
	doc: "Bytes of the shared memory.",
	show: (self) => self.size !== 0,
	read: (holder) => {
		const found = childNamed(holder, "size");
		return found && readAmount(found, { unit: "b", assumed: "b" });
	},
	write: (value, indent) => `${" ".repeat(indent)}<size unit='M'>${Math.floor(value / MIB)}</size>\n`,
	json: { type: "integer", minimum: 0 },
	takes: { children: ["size"] },
});

const msi = element({
	vectors: attr(integer({ min: 0, max: 0xffffffff, base: "auto" }), { absent: 0, doc: "Interrupt vectors." }),
	ioeventfd: attr(onOff, { doc: "Whether notifications are handled outside the virtual CPU." }),
});

const shmemFields = element({
	name: attr(str, { required: true, doc: "Name of the memory on the host." }),
	role: attr(oneOf("master", "peer"), { doc: "Whether the memory moves with the guest." }),
	model: child(
		element({
			type: attr(oneOf("ivshmem", "ivshmem-plain", "ivshmem-doorbell"), {
				default: "ivshmem",
				doc: "Model of the device.",
			}),
		}),
		{ required: true, implied: true, doc: "The device." },
	),
	size,
	server: child(element({ path: attr(sanitizedPath, { absent: "", doc: "Path of its socket." }) }), {
		keepEmpty: true,
		doc: "Server that hands the memory out.",
	}),
	msi: child(msi, { keepEmpty: true, doc: "Message-signalled interrupts between guests." }),
	...deviceInfo,
});
/** Shared memory. */
export type ShmemDef = Infer<typeof shmemFields>;
/** The <shmem> element. */
export const shmem: Schema<ShmemDef> = {
	...shmemFields,
	onRead: (value, found) => {
		if (value.model.type === "ivshmem") delete value.role;
		if (value.msi && !value.server) throw documentError(found, "msi option is only supported with a server");
	},
};
