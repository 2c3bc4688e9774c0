// The message bus of consoles of type dbus: a dbus-daemon of the guest's own, which QEMU and its viewers speak on.

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { GraphicsDef } from "@virtkit/model/domain/graphics";
import { escapeXml } from "@virtkit/xml/write";
import { busSocket } from "../devices/graphics-prepare.ts";
import type { Driver } from "../driver-context.ts";
import { giveTo } from "../lifecycle/work-folder.ts";
import { needProgram } from "./find.ts";
import type { HelperContext, HelperKind, HelperPlan } from "./helper.ts";

/** The bus's configuration: whoever may connect may do anything on it (dbus-daemon(1)). */
function configuration(socket: string): string {
	return `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>org.virtkit.qemu</type>
  <listen>unix:path=${escapeXml(socket)}</listen>
  <auth>EXTERNAL</auth>
  <policy context='default'>
    <allow send_destination='*' eavesdrop='true'/>
    <allow eavesdrop='true'/>
    <allow own='*'/>
  </policy>
</busconfig>
`;
}

/** Socket of the guest's own bus, where a console is on it. */
function ownBus(driver: Driver, def: DomainDef): string | undefined {
	const socket = busSocket({ def, host: driver.host });
	const isOurs = (device: GraphicsDef): boolean => device.type === "dbus" && device.address === `unix:path=${socket}`;
	return def.devices.graphics.some(isOurs) ? socket : undefined;
}

function plan({ driver, run, def }: HelperContext): HelperPlan[] {
	const socket = ownBus(driver, def);
	if (socket === undefined) return [];
	const program = needProgram("dbus-daemon", "Debian's package dbus-daemon");
	const config = `${run.paths.work}/dbus.conf`;
	mkdirSync(dirname(socket), { recursive: true, mode: 0o711 });
	giveTo(driver, dirname(socket));
	rmSync(socket, { force: true });
	writeFileSync(config, configuration(socket), { mode: 0o600 });
	giveTo(driver, config);
	return [
		{
			name: "dbus-daemon",
			program,
			args: [`--config-file=${config}`, "--nofork", "--nopidfile"],
			// A bus lets in who runs it: QEMU's user, and root.
			runAs: driver.runAs,
			logName: "dbus",
			ready: socket,
		},
	];
}

export const dbusDaemon: HelperKind = {
	plan,
	files: (driver, run) => [ownBus(driver, run.live.def) ?? []].flat(),
};
