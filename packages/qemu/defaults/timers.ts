// Which timers take which settings.

import type { ClockDef } from "@virtkit/model/domain/clock";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { documentError, positionOf } from "@virtkit/xml/read";
import type { DefineContext } from "../devices/entry.ts";
import { isMachine, isX86 } from "../machine.ts";

type Timer = ClockDef["timer"][number];

/** Rules for any hypervisor (virDomainDefPostParseTimer): the setting that a timer refuses, and its name. */
function refusedSetting(timer: Timer): string | undefined {
	const { name, tickpolicy, frequency, mode, track } = timer;
	if (tickpolicy && (name === "kvmclock" || name === "hypervclock")) return "tickpolicy";
	if (name !== "tsc" && frequency) return "frequency";
	if (name !== "tsc" && mode) return "mode";
	if (track && name !== "platform" && name !== "rtc") return "track";
	return undefined;
}

/** Throws for timers with settings they do not take. */
export function completeTimers({ def }: DefineContext): void {
	for (const timer of def.clock.timer) {
		const { catchup, tickpolicy } = timer;
		if (tickpolicy !== "catchup" && (catchup?.threshold || catchup?.limit || catchup?.slew))
			throw documentError(
				positionOf(timer),
				"setting of timer catchup policies is only supported with tickpolicy='catchup'",
			);
		const refused = refusedSetting(timer);
		if (refused)
			throw documentError(
				positionOf(timer),
				`timer ${timer.name} doesn't support setting of timer ${refused}`,
				"CONFIG_UNSUPPORTED",
			);
	}
}

/** Latest moment that a fixed clock may start at: the end of the year 9999. */
const LAST_SECOND = 253402300799;

/** Why QEMU cannot have a timer as configured; undefined where it can. */
function qemuRefusal(timer: Timer, def: DomainDef, caps: DefineContext["caps"]): string | undefined {
	const { name, present, tickpolicy, track } = timer;
	switch (name) {
		case "platform":
			return "unsupported timer type (name) 'platform'";
		case "tsc":
		case "kvmclock":
		case "hypervclock":
			return !isX86(def) && present ? notHere(timer, def) : undefined;
		case "rtc":
			if (track === "boot") return `unsupported rtc timer track '${track}'`;
			return tickpolicy === "merge" || tickpolicy === "discard"
				? `unsupported rtc timer tickpolicy '${tickpolicy}'`
				: undefined;
		case "pit":
			return tickpolicy === "merge" || (tickpolicy === "catchup" && !caps.has("kvm-pit", "lost_tick_policy"))
				? `unsupported pit tickpolicy '${tickpolicy}'`
				: undefined;
		case "hpet":
			return present && !isX86(def) ? "hpet timer is not supported" : undefined;
		case "armvtimer":
			return armRefusal(timer, def, caps);
	}
}

const notHere = ({ name }: Timer, def: DomainDef): string =>
	`Configuring the '${name}' timer is not supported for virtType=${def.type} arch=${def.os.type.arch} machine=${def.os.type.machine} guests`;

function armRefusal(timer: Timer, def: DomainDef, caps: DefineContext["caps"]): string | undefined {
	if (def.type !== "kvm" || !isMachine(def, "armVirt")) return notHere(timer, def);
	if (timer.present === false) return "The 'armvtimer' timer can't be disabled";
	if (!caps.has("max-arm-cpu", "kvm-no-adjvtime"))
		return "Configuring the 'armvtimer' timer is not supported with this QEMU binary";
	return timer.tickpolicy === "catchup" || timer.tickpolicy === "merge"
		? `The 'armvtimer' timer does not support tickpolicy '${timer.tickpolicy}'`
		: undefined;
}

/** Throws for clocks and timers that QEMU cannot have (qemuValidateDomainDefClockTimers). */
export function checkClock({ def, caps }: DefineContext): void {
	for (const timer of def.clock.timer) {
		const refusal = qemuRefusal(timer, def, caps);
		if (refusal) throw documentError(positionOf(timer), refusal, "CONFIG_UNSUPPORTED");
	}
	if (def.clock.offset === "absolute" && def.clock.start > LAST_SECOND)
		throw documentError(
			positionOf(def.clock),
			`The maximum 'start' value for <clock offset='absolute'> is ${LAST_SECOND}`,
			"CONFIG_UNSUPPORTED",
		);
}
