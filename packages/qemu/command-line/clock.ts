// `-rtc` and the timers that are not part of the CPU.

import { VirtError } from "@virtkit/base/errors";
import type { ClockDef } from "@virtkit/model/domain/clock";
import type { BuildContext } from "../devices/entry.ts";
import { isX86 } from "../machine.ts";

const formatTime = (seconds: number): string => new Date(seconds * 1000).toISOString().slice(0, 19);

/** Seconds that local time is ahead of UTC. */
const localOffset = (now: number): number => -new Date(now * 1000).getTimezoneOffset() * 60;

function base(clock: ClockDef, now: number): string {
	switch (clock.offset) {
		case "utc":
			return "utc";
		case "localtime":
		case "timezone":
			return "localtime";
		case "variable":
			return formatTime(now + (clock.adjustment ?? 0) + (clock.basis === "localtime" ? localOffset(now) : 0));
		case "absolute":
			return formatTime(clock.start);
	}
}

/** What the real-time clock follows, by libvirt's words. */
const TRACKS: Readonly<Record<string, string>> = { guest: "vm", wall: "host", realtime: "rt" };

/** `-rtc`, and the options of other timers. */
export function buildClock({ command, def, caps, host }: BuildContext): void {
	const { clock } = def;
	const rtc = clock.timer.find(({ name }) => name === "rtc");
	const track = rtc?.track === undefined ? undefined : TRACKS[rtc.track];
	const value = [
		`base=${base(clock, host.now())}`,
		...(track === undefined ? [] : [`clock=${track}`]),
		...(rtc?.tickpolicy === "catchup" ? ["driftfix=slew"] : []),
	].join(",");
	command.from({ element: clock, what: "clock" }, () => command.add("-rtc", value));
	if (clock.offset === "timezone") command.environment.TZ = clock.timezone;
	for (const timer of clock.timer)
		command.from({ element: timer, what: `timer ${timer.name}` }, () => {
			const { name, present, tickpolicy } = timer;
			if (name === "pit") buildPit(command, tickpolicy, caps.has("kvm-pit", "lost_tick_policy"));
			if (name === "hpet" && present === false && isX86(def) && !caps.hasOption("machine", "hpet"))
				command.add("-no-hpet");
		});
}

function buildPit(command: BuildContext["command"], tickpolicy: string | undefined, configurable: boolean): void {
	if (tickpolicy === "merge") throw new VirtError("CONFIG_UNSUPPORTED", "unsupported pit tickpolicy 'merge'");
	if (configurable && tickpolicy !== "catchup")
		command.add("-global", `kvm-pit.lost_tick_policy=${tickpolicy === "discard" ? "discard" : "delay"}`);
}
