// Limits of a network interface's throughput.

import { ulong } from "@virtkit/xml/codec";
import { elementsOf, type XmlElement } from "@virtkit/xml/node";
import { documentError } from "@virtkit/xml/read";
import { attr, child, element, type Infer } from "@virtkit/xml/schema";

const amount = (doc: string) => attr(ulong, { code: "CONFIG_UNSUPPORTED", doc });

const rate = element(
	{
		average: amount("KiB a second that it gets on average."),
		peak: amount("KiB a second that it gets at most."),
		floor: amount("KiB a second that it is promised; of frames towards the guest alone."),
		burst: amount("KiB that may pass at the peak's rate."),
	},
	{
		onRead(value, found) {
			if (value.average !== undefined) return;
			if (value.floor === undefined)
				throw documentError(found, "Missing mandatory average or floor attributes", "XML_DETAIL");
			if (value.peak !== undefined || value.burst !== undefined)
				throw documentError(found, "'peak' and 'burst' require 'average' attribute", "CONFIG_UNSUPPORTED");
		},
	},
);
export type RateDef = Infer<typeof rate>;

/** Whether a rate says anything; one that does not is not written. */
const isGiven = (value: unknown): boolean => {
	const { average, floor } = (value ?? {}) as RateDef;
	return Boolean(average || floor);
};

/** The <bandwidth> element. */
export const bandwidth = element(
	{
		inbound: child(rate, { show: (self) => isGiven(self.inbound), doc: "Frames towards the guest." }),
		outbound: child(rate, { show: (self) => isGiven(self.outbound), doc: "Frames from the guest." }),
	},
	{ onRead: (value, found) => checkBandwidth(value, found) },
);
export type BandwidthDef = Infer<typeof bandwidth>;

function checkBandwidth(value: { outbound?: RateDef | undefined }, found: XmlElement): void {
	for (const name of ["inbound", "outbound"])
		if (elementsOf(found).filter((each) => each.name === name).length > 1)
			throw documentError(found, `Only one child <${name}> element allowed`, "XML_DETAIL");
	if (value.outbound?.floor)
		throw documentError(found, "'floor' attribute allowed only in <inbound> element", "CONFIG_UNSUPPORTED");
}
