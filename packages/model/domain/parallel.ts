// Parallel ports.

import { uint } from "@virtkit/xml/codec";
import { documentError, positionOf } from "@virtkit/xml/read";
import { attr, child, element, type Infer, type Schema } from "@virtkit/xml/schema";
import { chardevFields, chardevType, settleChardev } from "./chardev.ts";
import { deviceInfo } from "./device-common.ts";

const target = element({ port: attr(uint, { doc: "Number of the port, from 0." }) });

const parallelFields = element({
	type: chardevType("pty"),
	...chardevFields,
	target: child(target, { required: true, implied: true, doc: "What the guest sees." }),
	...deviceInfo,
});
/** A parallel port. */
export type ParallelDef = Infer<typeof parallelFields>;
/** The <parallel> element. */
export const parallel: Schema<ParallelDef> = {
	...parallelFields,
	onRead: (value, found, context) => {
		settleChardev(value, found, context);
		if (value.type === "spicevmc")
			throw documentError(positionOf(value), "spicevmc device type only supports virtio", "CONFIG_UNSUPPORTED");
	},
};
