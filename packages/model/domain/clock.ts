// The guest's real-time clock and its timers.

import { integer, nonEmpty, oneOf, ulong, yesNo } from "@virtkit/xml/codec";
import type { XmlElement } from "@virtkit/xml/node";
import { attr, child, element, type Infer, list, variants } from "@virtkit/xml/schema";

const timer = element({
	name: attr(oneOf("platform", "pit", "rtc", "hpet", "tsc", "kvmclock", "hypervclock", "armvtimer"), {
		required: true,
		doc: "Which timer.",
	}),
	present: attr(yesNo, { doc: "Whether the guest has it." }),
	tickpolicy: attr(oneOf("delay", "catchup", "merge", "discard"), {
		doc: "What becomes of ticks that could not be delivered in time.",
	}),
	track: attr(oneOf("boot", "guest", "wall", "realtime"), { doc: "What the timer follows." }),
	frequency: attr(ulong, { absent: 0, doc: "Hertz of the time-stamp counter.", show: (self) => self.name === "tsc" }),
	mode: attr(oneOf("auto", "native", "emulate", "paravirt", "smpsafe"), {
		doc: "How the time-stamp counter is provided.",
		show: (self) => self.name === "tsc",
	}),
	catchup: child(
		element({
			threshold: attr(ulong, { absent: 0, doc: "Lag at which catching up begins." }),
			slew: attr(ulong, { absent: 0, doc: "Speed of catching up." }),
			limit: attr(ulong, { absent: 0, doc: "Lag that is given up on." }),
		}),
	),
});

const seconds = integer();
const reset = attr(oneOf("reset"), { doc: "`reset` ties the guest's clock to the host's at each start." });

/** `utc` and `localtime` with an adjustment in seconds are short for `variable`; a `variable` clock names both its parts. */
function variableOf(element: XmlElement): XmlElement {
	const { offset = "utc", adjustment, ...others } = element.attributes;
	const short = offset === "utc" || offset === "localtime";
	if (short && adjustment !== undefined && adjustment !== "reset")
		return { ...element, attributes: { ...others, offset: "variable", adjustment, basis: offset } };
	if (offset !== "variable") return element;
	return { ...element, attributes: { basis: "utc", ...element.attributes, adjustment: adjustment ?? "0" } };
}

export const clock = variants(
	"offset",
	{
		utc: { adjustment: reset },
		localtime: { adjustment: reset },
		variable: {
			adjustment: attr(seconds, { doc: "Seconds the guest's clock is ahead of `basis`." }),
			basis: attr(oneOf("utc", "localtime"), { code: "CONFIG_UNSUPPORTED", doc: "What `adjustment` counts from." }),
		},
		timezone: {
			timezone: attr(nonEmpty, {
				required: true,
				missing: "INTERNAL_ERROR",
				doc: "Zone whose local time the clock has.",
			}),
		},
		absolute: {
			start: attr(ulong, {
				required: true,
				missing: "INTERNAL_ERROR",
				doc: "Seconds since 1970 that the clock has at start.",
			}),
		},
	},
	{
		fallback: "utc",
		codes: { unknown: "CONFIG_UNSUPPORTED" },
		common: { timer: list(timer, { doc: "One timer of the guest." }) },
		rewrite: variableOf,
	},
);

export type ClockDef = Infer<typeof clock>;
